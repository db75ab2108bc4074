"""What forward should equal: arithmetic, powers and roots."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import LINE, POSITIVE, X, some

UNARY = [
    (ops.Negative, np.negative, LINE), (ops.Square, np.square, LINE), (ops.Cbrt, np.cbrt, LINE),
    (ops.Sqrt, np.sqrt, np.append(POSITIVE, 0)), (ops.Reciprocal, lambda x: 1 / x, LINE[LINE != 0]),
]  # fmt: skip

BINARY = [
    (ops.Add, np.add), (ops.Subtract, np.subtract), (ops.Multiply, np.multiply), (ops.Divide, np.divide),
    (ops.Hypot, lambda x, y: np.abs(x + 1j * y)), (ops.Remainder, lambda x, y: x - np.floor(x / y) * y),
    (ops.Fmod, lambda x, y: x - np.trunc(x / y) * y), (ops.FloorDivide, lambda x, y: np.floor(x / y)),
]  # fmt: skip

SIGNED, INTEGRAL = np.array([-2.0, -0.5, 0.0, 3.0, -1.5]), np.array([3.0, -2.0, 0.0, 2.0, 0.0])
OTHERS = [
    (op, f, *arrays)
    for op, f in [(ops.Power(), np.power), (ops.FloatPower(), np.float_power)]
    for arrays in [(np.abs(X), some(4)), (SIGNED, INTEGRAL), (np.zeros(3), np.array([0.0, 0.5, 2.0]))]
]
