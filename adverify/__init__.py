"""Property-based verification of automatic differentiation."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adverify import ops as ops
    from adverify import strategies as strategies
    from adverify import testing as testing
    from adverify.check import check_case, check_function
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
    "check_function",
    "tensor",
    "variable",
]

_MODULES = {
    "adverify.check": ("check_case", "check_function"),
    "adverify.domains": ("Domain",),
    "adverify.engine": ("Function", "Tensor", "Variable", "tensor", "variable"),
    "adverify.report": ("Diagnosis", "Failure", "InvalidFunction", "Report", "Undecided", "VerificationError"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: pytest loads the plugin in every project, used or not."""
    if name in ("domains", "engine", "ops", "strategies", "testing"):
        return import_module(f"adverify.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'adverify' has no attribute {name!r}")
    import_module("adverify.ops")  # binds the operators of Variable
    value = globals()[name] = getattr(import_module(_WHERE[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
