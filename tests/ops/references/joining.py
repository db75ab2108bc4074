"""What forward should equal: joining, cutting and repeating."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

Y = some(2, 3, 4)

OTHERS = [
    (ops.Concatenate(), lambda *a: np.concatenate(a), X),
    (ops.Concatenate(axis=-1), lambda *a: np.concatenate(a, axis=-1), X, some(3, 1), some(3, 0)),
    (ops.Concatenate(axis=None), lambda *a: np.concatenate(a, axis=None), X, some(2), np.array(1.0)),
    (ops.Stack(axis=1), lambda *a: np.stack(a, axis=1), X, X + 1),
    (ops.Stack(axis=-1), lambda *a: np.stack(a, axis=-1), X, X + 1, X - 1),
    (ops.Split(3), lambda x: np.split(x, 3), X),
    (ops.Split(2, axis=-1), lambda x: np.split(x, 2, axis=-1), X),
    (ops.Split([1, 3], axis=1), lambda x: np.split(x, [1, 3], axis=1), X),
    (ops.Split((2, 1)), lambda x: np.split(x, (2, 1)), X),
    (ops.Tile(3), lambda x: np.tile(x, 3), X),
    (ops.Tile((2, 1, 2)), lambda x: np.tile(x, (2, 1, 2)), X),
    (ops.Tile((2, 3)), lambda x: np.tile(x, (2, 3)), Y),
    (ops.Repeat(2), lambda x: np.repeat(x, 2), X),
    (ops.Repeat([2, 0, 1], axis=0), lambda x: np.repeat(x, [2, 0, 1], axis=0), X),
    (ops.Repeat(2, axis=-1), lambda x: np.repeat(x, 2, axis=-1), Y),
]
