"""What forward should equal: similarity of directions."""

import numpy as np
from scipy.spatial import distance

from adverify import ops
from tests.ops.references.samples import X, some

OTHERS = [
    (ops.CosineSimilarity(), lambda x, y: 1 - np.array([distance.cosine(a, b) for a, b in zip(x, y, strict=True)]),
     X, some(3, 4)),
    (ops.CosineSimilarity(axis=0), lambda x, y: (x.T @ y)[:, 0] / np.linalg.norm(x, axis=0) / np.linalg.norm(y),
     X, some(3, 1)),
    (ops.CosineSimilarity(), lambda x, y: 0.6, np.array([3e200, 4e200]), np.array([1e-3, 0.0])),
    (ops.CosineSimilarity(eps=10.0), lambda x, y: x @ y / 100, np.array([1.0, 2.0]), np.array([3.0, 4.0])),
]  # fmt: skip
