"""Digits that are lost, and dtypes."""

from __future__ import annotations

from adverify.diagnosis.base import Fault
from adverify.report import Failure


class WrongType(Fault):
    """The gradient has another dtype than its input.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad = (x.grad + grad * np.exp(x.data)).astype(np.float32)
    """

    kind = "dtype"
    properties = ("shape",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason if " dtype " in failure.verdict.reason else ""


class Precision(Fault):
    """Digits are lost to single precision.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad += grad * np.exp(x.data).astype(np.float32)
    """

    kind = "precision"
    properties = ("precision",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason
