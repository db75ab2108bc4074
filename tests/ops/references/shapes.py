"""What forward should equal: arrangements of elements."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

OTHERS = [
    (ops.Reshape((2, -1)), lambda x: x.reshape(2, 6), X),
    (ops.Reshape(), np.ravel, X),
    (ops.Transpose(), np.transpose, X),
    (ops.Transpose((2, 0, 1)), lambda x: np.transpose(x, (2, 0, 1)), some(2, 3, 4)),
    (ops.BroadcastTo((2, 3, 4)), lambda x: np.broadcast_to(x, (2, 3, 4)), some(3, 1)),
    (ops.Concatenate(axis=-1), lambda *a: np.concatenate(a, axis=-1), X, some(3, 1), some(3, 0)),
    (ops.Stack(axis=1), lambda *a: np.stack(a, axis=1), X, X + 1),
    (ops.Split(3), lambda x: np.split(x, 3), X),
    (ops.Split(2, axis=-1), lambda x: np.split(x, 2, axis=-1), X),
    (ops.Pad(((1, 0), (0, 2))), lambda x: np.pad(x, ((1, 0), (0, 2))), X),
    (ops.Flip(), np.flip, X),
    (ops.Flip(axis=(0,)), lambda x: np.flip(x, (0,)), X),
    (ops.Roll(-2), lambda x: np.roll(x, -2), X),
    (ops.Roll(1, axis=-1), lambda x: np.roll(x, 1, -1), X),
    (ops.Cumsum(), lambda x: np.cumsum(x, axis=-1), X),
]
