"""What forward should equal: Bessel functions."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import LINE

NEAR, AHEAD = np.linspace(-30, 30, 61), np.linspace(0.1, 30, 61)


def scaled(order):
    return lambda x: np.exp(-np.abs(x)) * special.iv(order, x)


UNARY = [
    (ops.J0, lambda x: special.jv(0, x), NEAR), (ops.J1, lambda x: special.jv(1, x), NEAR),
    (ops.Y0, lambda x: special.yv(0, x), AHEAD), (ops.Y1, lambda x: special.yv(1, x), AHEAD),
    (ops.I0, lambda x: special.iv(0, x), NEAR), (ops.I1, lambda x: special.iv(1, x), NEAR),
    (ops.I0e, scaled(0), NEAR), (ops.I1e, scaled(1), NEAR),
]  # fmt: skip

OTHERS = [(ops.I0e(), special.i0e, LINE), (ops.I1e(), special.i1e, LINE)]
