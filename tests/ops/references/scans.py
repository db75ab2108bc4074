"""What forward should equal: scans, differences and integrals."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import X, some

Y = some(2, 3, 4)


def logcumsumexp(x, axis):
    ends = range(1, x.shape[axis] + 1)
    parts = [special.logsumexp(np.take(x, range(end), axis), axis=axis) for end in ends]
    return np.stack(parts, axis) if parts else x


OTHERS = [
    *(
        (op(axis), lambda x, f=f, a=axis: f(x, axis=a), Y)
        for op, f in [(ops.Cumsum, np.cumsum), (ops.Cumprod, np.cumprod)]
        for axis in (None, 0, 1, -1)
    ),
    *((op(0), np.atleast_1d, np.array(2.0)) for op in (ops.Cumsum, ops.Cumprod, ops.Logcumsumexp)),
    *((op(-1), lambda x: x, np.zeros((2, 0))) for op in (ops.Cumsum, ops.Cumprod, ops.Logcumsumexp)),
    *((ops.Logcumsumexp(axis), lambda x, a=axis: logcumsumexp(x, a), Y) for axis in (0, 1, -1)),
    (ops.Logcumsumexp(), lambda x: logcumsumexp(x.ravel(), 0), X),
    (ops.Logcumsumexp(), lambda x: logcumsumexp(x, 0), np.array([-800.0, 800, -800, 801, 1e200])),
    *((ops.Diff(n, axis), lambda x, n=n, a=axis: np.diff(x, n, a), Y) for n in (0, 1, 2, 5) for axis in (0, -1)),
    (ops.Trapezoid(), np.trapezoid, Y),
    (ops.Trapezoid(dx=0.5, axis=0), lambda y: np.trapezoid(y, dx=0.5, axis=0), Y),
    (ops.Trapezoid(), np.trapezoid, Y, some(4)),
    (ops.Trapezoid(axis=1), lambda y, x: np.trapezoid(y, x, axis=1), Y, some(3)),
    (ops.Trapezoid(axis=1), lambda y, x: np.trapezoid(y, x, axis=1), Y, some(2, 3, 1)),
    (ops.Trapezoid(), np.trapezoid, Y, some(2)),
]  # fmt: skip
