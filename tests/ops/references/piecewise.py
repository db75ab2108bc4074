"""What forward should equal: signs, rounding, choices."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import LINE, X, some

HALVES = np.concatenate([LINE, np.arange(-4, 4.5, 0.5)])
NAN = np.array([np.nan, 1.0, np.nan, -2.0])

UNARY = [
    (ops.Absolute, np.abs, LINE), (ops.Sign, np.sign, LINE), (ops.Floor, np.floor, HALVES),
    (ops.Ceil, np.ceil, HALVES), (ops.Rint, np.round, HALVES), (ops.Trunc, np.fix, HALVES), (ops.Clip, lambda x: x, X),
]  # fmt: skip

BINARY = [
    (ops.Maximum, np.maximum), (ops.Minimum, np.minimum), (ops.Fmax, np.fmax), (ops.Fmin, np.fmin),
    (ops.Copysign, np.copysign), (ops.Heaviside, np.heaviside),
]  # fmt: skip

CONDITION = np.array([0.0, 1.0, -0.5, 0.0])
OTHERS = [
    (ops.Clip(-1, 1), lambda x: np.clip(x, -1, 1), LINE),
    (ops.Clip(a_max=0.5), lambda x: np.minimum(x, 0.5), X),
    (ops.Clip(a_min=0.5), lambda x: np.maximum(x, 0.5), X),
    (ops.Clip(0.5, 0.5), lambda x: np.full_like(x, 0.5), X),
    (ops.Where(), lambda c, x, y: np.where(c.astype(bool), x, y), CONDITION, X, some(4)),
    (ops.Where(), lambda c, x, y: np.where(c.astype(bool), x, y), CONDITION[:, None], some(1), some(5, 1, 1)),
    (ops.Fmax(), np.fmax, NAN, some(4)),
    (ops.Fmin(), np.fmin, some(4), NAN),
    (ops.Heaviside(), np.heaviside, np.array([-0.0, 0.0, 1e-300, -1e-300]), some(4)),
    (ops.Copysign(), np.copysign, some(4), np.array([-0.0, 0.0, 2.0, -3.0])),
]
