"""What forward should equal: reductions."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import X, some

OTHERS = [
    *(
        (op(axis=axis, keepdims=keepdims), lambda x, f=f, a=axis, k=keepdims: f(x, axis=a, keepdims=k), x)
        for op, f in [
            (ops.Sum, np.sum),
            (ops.Mean, np.mean),
            (ops.Prod, np.prod),
            (ops.Max, np.max),
            (ops.Min, np.min),
            (ops.Logsumexp, special.logsumexp),
            (ops.Var, np.var),
            (ops.Std, np.std),
        ]
        for axis in (None, 0, -1, (0, 2), (-1, -2), ())
        for keepdims in (False, True)
        for x in (some(2, 3, 4),)
        if not (axis == () and op is ops.Logsumexp)
    ),
    (ops.Var(axis=0, ddof=1), lambda x: np.var(x, axis=0, ddof=1), X),
    (ops.Std(axis=None, ddof=2), lambda x: np.std(x, ddof=2), X),
    (ops.Logsumexp(), special.logsumexp, np.array([1e3, 1e3 + 1, -1e4])),
]
