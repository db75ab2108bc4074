"""What forward should equal: order."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import TIES, X

OTHERS = [
    (ops.Sort(axis=0), lambda x: np.sort(x, axis=0), X),
    (ops.Sort(), lambda x: np.sort(x, axis=-1), TIES),
    (ops.Sort(axis=None), lambda x: np.sort(x, axis=None), X),
    (ops.Partition(1), lambda x: np.partition(x, 1), TIES),
    (ops.Partition(1, axis=0), lambda x: np.partition(x, 1, axis=0), X),
    (ops.Partition((0, -1), axis=0), lambda x: np.sort(x, axis=0), X),
    (ops.Partition(range(12), axis=None), lambda x: np.sort(x, axis=None), X),
]
