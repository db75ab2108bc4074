"""What forward should equal: the gamma function and its relatives."""

import mpmath
import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import POSITIVE, some

BETWEEN_POLES = np.linspace(-7.9, 9.9, 90)
MODERATE = np.linspace(0.1, 30, 60)


def polygamma(n):
    return lambda x: np.vectorize(lambda v: float(mpmath.psi(n, v)), otypes=[float])(x)


UNARY = [
    (ops.Gamma, special.gamma, BETWEEN_POLES), (ops.Gammaln, lambda x: np.log(np.abs(special.gamma(x))), MODERATE),
    (ops.Digamma, polygamma(0), BETWEEN_POLES), (ops.Polygamma, polygamma(1), MODERATE),
]  # fmt: skip

A, B = np.abs(some(4)) + 0.1, np.abs(some(3, 1)) + 0.1
OTHERS = [
    *((ops.Polygamma(n), polygamma(n), MODERATE) for n in (0, 2, 5)),
    (ops.Gammaln(), special.gammaln, POSITIVE),
    (ops.Beta(), lambda a, b: special.gamma(a) * special.gamma(b) / special.gamma(a + b), A, B),
    (ops.Betaln(), lambda a, b: special.gammaln(a) + special.gammaln(b) - special.gammaln(a + b), A, B),
]
