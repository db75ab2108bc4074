"""What forward should equal: arithmetic."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import LINE, POSITIVE, X, some

UNARY = [
    (ops.Absolute, np.abs, LINE), (ops.Negative, np.negative, LINE), (ops.Square, np.square, LINE),
    (ops.Sqrt, np.sqrt, np.append(POSITIVE, 0)), (ops.Cbrt, np.cbrt, LINE),
    (ops.Reciprocal, np.reciprocal, LINE[LINE != 0]), (ops.Floor, np.floor, LINE),
    (ops.Clip, lambda x: np.clip(x, -1, 1), LINE),
]  # fmt: skip

BINARY = [
    (ops.Add, np.add), (ops.Subtract, np.subtract), (ops.Multiply, np.multiply), (ops.Divide, np.divide),
    (ops.Arctan2, np.arctan2), (ops.Hypot, np.hypot), (ops.Maximum, np.maximum), (ops.Minimum, np.minimum),
    (ops.Where, lambda x, y: np.where(True, x, y)),
]  # fmt: skip

OTHERS = [
    (ops.Power(), np.power, np.abs(X), some(4)),
    (ops.Clip(a_min=None, a_max=0.5), lambda x: np.minimum(x, 0.5), X),
    (ops.Clip(a_min=None, a_max=None), lambda x: x, X),
    (ops.Where([True, False, True, False]), lambda x, y: np.where([True, False, True, False], x, y), X, some(4)),
]
