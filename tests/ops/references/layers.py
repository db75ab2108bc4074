"""What forward should equal: layers with weights, lookups and dropout."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

KEPT = np.random.default_rng(3).random((3, 4)) >= 0.25

OTHERS = [
    (ops.Linear(), lambda x, w, b: np.einsum("abk,mk->abm", x, w) + b, some(2, 3, 4), some(5, 4), some(5)),
    (ops.Linear(), lambda x, w: w @ x, some(4), some(5, 4)),
    (ops.Bilinear(), lambda x, y, w: np.array([x @ m @ y for m in w]), some(3), some(2), some(4, 3, 2)),
    (ops.Bilinear(), lambda x, y, w, b: np.einsum("abi,abj,oij->abo", x, y, w) + b, some(2, 3, 4), some(2, 3, 2),
     some(5, 4, 2), some(5)),
    (ops.Embedding([[1, 0], [2, 2]]), lambda w: np.stack([w[[1, 0]], w[[2, 2]]]), X),
    (ops.Embedding([]), lambda w: w[:0], X),
    (ops.Dropout(0.25, seed=3), lambda x: x * KEPT / 0.75, X),
    (ops.Dropout(mask=[True, False, False, True]), lambda x: np.stack([2 * x[:, 0], 0 * x[:, 1], 0 * x[:, 1],
                                                                      2 * x[:, 3]], 1), X),
    (ops.Dropout(1.0), np.zeros_like, X),
    (ops.Dropout(0.0), lambda x: x, X),
]  # fmt: skip
