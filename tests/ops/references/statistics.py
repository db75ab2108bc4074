"""What forward should equal: statistics."""

import numpy as np

from adverify import ops
from adverify.ops.statistics import METHODS
from tests.ops.references.samples import TIES, X, some

Y = some(2, 3, 4)

OTHERS = [
    (ops.Average(), np.average, X),
    (ops.Average(), lambda x, w: np.average(x, weights=w), X, abs(some(3, 4))),
    *(
        (ops.Average(axis=a, keepdims=k), lambda x, w, a=a, k=k: np.average(x, a, w, keepdims=k), Y, abs(some(*shape)))
        for a, shape in [(0, (2,)), (-1, (4,)), (1, (2, 3, 4)), ((2, 0), (4, 2)), ((0, 1), (2, 3)), ((1, 2), (2, 3, 4))]
        for k in (False, True)
    ),
    (ops.Average(axis=0), lambda x, w: x.mean(axis=0), X, np.full(3, 1e-200)),
    (ops.Var(axis=0, ddof=1), lambda x: np.var(x, axis=0, ddof=1), X),
    (ops.Var(ddof=2.5), lambda x: np.var(x, ddof=2.5), X),
    (ops.Std(axis=None, ddof=2), lambda x: np.std(x, ddof=2), X),
    (ops.Std(axis=1), lambda x: 1e200 * np.std(x / 1e200, axis=1), 1e200 * X),
    (ops.Median(), np.median, TIES),
    (ops.Quantile(), np.median, TIES),
    *(
        (ops.Quantile(q, axis, keepdims), lambda x, q=q, a=axis, k=keepdims: np.quantile(x, q, axis=a, keepdims=k), Y)
        for q in (0.0, 0.3, 1.0, (0.25, 0.5), ((0.1, 0.2, 0.3),))
        for axis in (None, 1, (0, -1))
        for keepdims in (False, True)
    ),
    *((ops.Quantile(0.35, method=m), lambda x, m=m: np.quantile(x, 0.35, method=m), X.ravel()[:7]) for m in METHODS),
    *(
        (op, lambda x, f=f: f(x, axis=0), np.array([[1.0, np.nan], [2.0, 3.0], [0.5, 0.0]]))
        for op, f in [
            (ops.Median(axis=0), np.median),
            (ops.Quantile(axis=0), lambda x, axis: np.quantile(x, 0.5, axis)),
        ]
    ),
]
