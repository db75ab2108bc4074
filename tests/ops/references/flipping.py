"""What forward should equal: turning and shifting."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

Y = some(2, 3, 4)

OTHERS = [
    (ops.Flip(), np.flip, X),
    (ops.Flip(axis=(0,)), lambda x: np.flip(x, (0,)), X),
    (ops.Roll(-2), lambda x: np.roll(x, -2), X),
    (ops.Roll(1, axis=-1), lambda x: np.roll(x, 1, -1), X),
    (ops.Roll((1, -2), axis=(0, -1)), lambda x: np.roll(x, (1, -2), (0, -1)), Y),
    (ops.Roll((1, 2), axis=1), lambda x: np.roll(x, (1, 2), 1), Y),
    *(
        (ops.Rot90(k, axes), lambda x, k=k, a=axes: np.rot90(x, k, a), Y)
        for k in (-1, 0, 2, 5)
        for axes in [(0, 1), (2, 0)]
    ),
]
