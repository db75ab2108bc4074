"""What forward should equal: linear algebra."""

import numpy as np
from scipy import linalg

from adverify import ops
from tests.ops.references.samples import X, positive_definite, some

OTHERS = [
    *((ops.Matmul(), np.matmul, a, b) for a, b in [
        (some(3), some(3)), (some(3), some(3, 2)), (some(2, 3), some(3)), (some(5, 1, 2, 3), some(4, 3, 2)),
        (some(3), some(4, 3, 2)), (some(2, 0), some(0, 3)),
    ]),
    (ops.Outer(), np.outer, X, some(2)),
    (ops.Trace(), lambda a: np.trace(a, axis1=-2, axis2=-1), some(2, 3, 4)),
    (ops.Inv(), np.linalg.inv, some(2, 3, 3)),
    (ops.Solve(), np.linalg.solve, some(2, 3, 3), some(3, 4)),
    (ops.Det(), np.linalg.det, some(2, 3, 3)),
    (ops.Det(), np.linalg.det, np.ones((3, 3))),
    (ops.Cholesky(), lambda a: linalg.cholesky(a, lower=True), positive_definite(4)),
    *((ops.Einsum(s), lambda *a, s=s: np.einsum(s, *a), *arrays) for s, *arrays in [
        ("ij,jk->ik", some(2, 3), some(3, 4)), ("ii", some(3, 3)), ("iij->ji", some(3, 3, 2)),
        ("bij,bjk", some(2, 3, 4), some(2, 4, 5)), ("i,j,k->kji", some(2), some(3), some(4)),
    ]),
]  # fmt: skip
