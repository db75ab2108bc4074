"""Property-based verification of automatic differentiation."""

import adverify.ops  # noqa: F401  # binds the operators of Variable
from adverify.check import check_case, check_function
from adverify.check_expression import check_expression
from adverify.domains import Domain
from adverify.engine import Function, Tensor, Variable, tensor, variable
from adverify.report import Diagnosis, Failure, InvalidFunction, Report, Undecided, VerificationError

__all__ = [
    "Diagnosis",
    "Domain",
    "Failure",
    "Function",
    "InvalidFunction",
    "Report",
    "Tensor",
    "Undecided",
    "Variable",
    "VerificationError",
    "check_case",
    "check_expression",
    "check_function",
    "tensor",
    "variable",
]
