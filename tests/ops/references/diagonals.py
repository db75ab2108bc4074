"""What forward should equal: diagonals and triangles."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

Y = some(2, 3, 4)

OTHERS = [
    *(
        (op(k), lambda x, f=f, k=k: f(x, k), x)
        for op, f in [(ops.Tril, np.tril), (ops.Triu, np.triu)]
        for k in (0, 1, -2)
        for x in (X, Y, X[0])
    ),
    *((ops.Diag(k), lambda x, k=k: np.diag(x, k), x) for k in (0, 1, -2, 7) for x in (X, X[0], X[0, :0])),
    *((ops.Diagonal(k), lambda x, k=k: np.diagonal(x, k), x) for k in (0, 1, -2, 7) for x in (X, Y)),
    (ops.Diagonal(1, -1, 0), lambda x: np.diagonal(x, 1, -1, 0), Y),
]
