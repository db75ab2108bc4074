"""What forward should equal: picking elements."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import TIES, X

OTHERS = [
    (ops.Getitem(([0, 1, 1], slice(None, None, -2))), lambda x: x[[0, 1, 1], ::-2], X),
    (ops.Getitem((..., None, 1)), lambda x: x[..., None, 1], X),
    (ops.Take([[1, 0], [-1, 0]], axis=1), lambda x: np.take(x, [[1, 0], [-1, 0]], axis=1), X),
    (ops.Sort(axis=0), lambda x: np.sort(x, axis=0), X),
    (ops.Sort(), lambda x: np.sort(x, axis=-1), TIES),
]
