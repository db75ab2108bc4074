"""What forward should equal: the error function and its relatives."""

import mpmath
import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import LINE, UNIT

OPEN = UNIT[np.abs(UNIT) < 1]


def erfcx(x):
    with mpmath.workdps(60):
        return np.vectorize(lambda v: float(mpmath.exp(mpmath.mpf(v) ** 2) * mpmath.erfc(v)), otypes=[float])(x)


def erfinv(x):
    return np.vectorize(lambda v: float(mpmath.erfinv(v)), otypes=[float])(x)


UNARY = [
    (ops.Erf, special.erf, LINE), (ops.Erfc, special.erfc, LINE), (ops.Erfcx, erfcx, np.linspace(-8, 50, 30)),
    (ops.Erfinv, erfinv, OPEN), (ops.Ndtr, special.ndtr, LINE), (ops.LogNdtr, special.log_ndtr, LINE),
]  # fmt: skip
