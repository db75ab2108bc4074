from __future__ import annotations

import numpy as np

from adverify.case import Case
from adverify.properties.base import Property
from adverify.subject import BackwardRaised, NoGradient, Rejected
from adverify.verdict import HOLDS, Evidence, Verdict, violated


class Shape(Property):
    """A gradient of another shape broadcasts silently somewhere else.

    So does a sum that should have kept its axes, or an input that was broadcast and whose gradient was not summed
    back.

    Examples
    --------
    >>> import numpy as np
    >>> from adverify import Function, check_case, variable
    >>> class KeepsAnAxis(Function):
    ...     def forward(self, x):
    ...         return variable(2 * x.data)
    ...     def backward(self, x, grad):
    ...         x.grad = x.grad + 2 * grad[np.newaxis]
    >>> check_case(KeepsAnAxis, [[1.0, 2.0]], property="shape")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: KeepsAnAxis: breaks 'shape': x.grad has shape (1, 2); x has shape (2,)
    ...
    """

    name = "shape"
    rule = "each input's gradient has that input's shape, and dtype"
    needs = ("determinism",)

    everywhere = True

    def without_gradient(self, raised: BackwardRaised) -> Verdict:
        return violated(str(raised)) if isinstance(raised, NoGradient) else super().without_gradient(raised)

    def check(self, case: Case) -> Verdict:
        verdict = self._fits(case)
        return verdict if verdict is not HOLDS else self._in_single(case)

    def _in_single(self, case: Case) -> Verdict:
        """Ask the same of float32 inputs, if forward takes them."""
        single = case.at(tuple(a.astype(np.float32) for a in case.arrays))
        if any(
            ((s == 0) != (a == 0)).any() or not np.isfinite(s).all()
            for s, a in zip(single.arrays, case.arrays, strict=True)
        ):
            return HOLDS  # out of the range of float32
        try:
            _ = single.vjp
        except (Rejected, BackwardRaised):
            return HOLDS
        return self._fits(single)

    def _fits(self, case: Case) -> Verdict:
        for name, x, grad in zip(case.names, case.arrays, case.vjp, strict=True):
            if np.shape(grad) != x.shape:
                return violated(f"{name}.grad has shape {np.shape(grad)}; {name} has shape {x.shape}",
                                Evidence(f"{name}.grad", np.full(x.shape, np.nan), np.asarray(grad), np.zeros(()),
                                         np.ones((), bool)))  # fmt: skip
            dtype = np.asarray(grad).dtype
            # A forward that gives doubles for singles, too, has a constant that is one: the engine rounds to x's dtype.
            allowed = {x.dtype, *(y.dtype for y in case.outputs if np.can_cast(x.dtype, y.dtype, "safe"))}
            if dtype not in allowed:
                found = f"has dtype {dtype}" if hasattr(grad, "dtype") else f"is a {type(grad).__name__}, not an array"
                return violated(f"{name}.grad {found}; {name} has dtype {x.dtype}")
        return HOLDS
