"""Property-based verification of automatic differentiation."""

from adverify.engine import Function, Tensor, Variable, tensor, variable

__all__ = ["Function", "Tensor", "Variable", "tensor", "variable"]
