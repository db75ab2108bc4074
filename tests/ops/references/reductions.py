"""What forward should equal: reductions."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import some

OTHERS = [
    *(
        (op(axis=axis, keepdims=keepdims), lambda x, f=f, a=axis, k=keepdims: f(x, axis=a, keepdims=k), x)
        for op, f in [
            (ops.Sum, np.sum),
            (ops.Mean, np.mean),
            (ops.Prod, np.prod),
            (ops.Max, np.max),
            (ops.Min, np.min),
            (ops.Ptp, np.ptp),
            (ops.Logsumexp, special.logsumexp),
            (ops.Var, np.var),
            (ops.Std, np.std),
            (ops.Median, np.median),
        ]
        for axis in (None, 0, -1, (0, 2), (-1, -2), ())
        for keepdims in (False, True)
        for x in (some(2, 3, 4),)
        if not (axis == () and op is ops.Logsumexp)
    ),
    (ops.Sum(axis=0), lambda x: np.sum(x, axis=0), np.array(2.0)),
    (ops.Sum(axis=1), lambda x: np.sum(x, axis=1), np.zeros((2, 0))),
    (ops.Prod(axis=-1), lambda x: np.prod(x, axis=-1), np.zeros((2, 0))),
    (ops.Logsumexp(), special.logsumexp, np.array([1e3, 1e3 + 1, -1e4])),
    (ops.Logsumexp(), special.logsumexp, np.array([0.0, 0.0, -50.0])),
    (ops.Logsumexp(), special.logsumexp, np.array([0.0, -50.0])),
    (ops.Logsumexp(), special.logsumexp, np.array([-np.inf, 1.0])),
]
