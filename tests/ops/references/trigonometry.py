"""What forward should equal: trigonometric and hyperbolic functions."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import LINE, UNIT, some

UNARY = [
    (ops.Sin, np.sin, LINE), (ops.Cos, np.cos, LINE), (ops.Tan, np.tan, LINE), (ops.Arcsin, np.arcsin, UNIT),
    (ops.Arccos, np.arccos, UNIT), (ops.Arctan, np.arctan, LINE), (ops.Sinh, np.sinh, LINE[np.abs(LINE) < 700]),
    (ops.Cosh, np.cosh, LINE[np.abs(LINE) < 700]), (ops.Tanh, np.tanh, LINE), (ops.Arcsinh, np.arcsinh, LINE),
    (ops.Arccosh, np.arccosh, 1 + np.abs(LINE)), (ops.Arctanh, np.arctanh, UNIT[np.abs(UNIT) < 1]),
    (ops.Sinc, lambda x: np.sin(np.pi * x) / (np.pi * x), LINE[LINE != 0]),
]  # fmt: skip

BINARY = [(ops.Arctan2, lambda x, y: np.angle(y + 1j * x))]

OTHERS = [
    (ops.Sinc(), np.ones_like, np.zeros(2)),
    (ops.Arctan2(), np.arctan2, np.array([0.0, -0.0, 1e-300, 1e300]), np.array([-1.0, -1.0, 1e-300, -1e300])),
    (ops.Arctan2(), np.arctan2, some(3, 1), some(4)),
]
