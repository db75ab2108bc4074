"""What forward should equal: special functions."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import LINE, POSITIVE

UNARY = [
    (ops.Erf, special.erf, LINE), (ops.Expit, special.expit, LINE), (ops.Gammaln, special.gammaln, POSITIVE),
    (ops.Entr, special.entr, np.append(POSITIVE, 0)),
]  # fmt: skip

OTHERS = [(ops.Xlogy(), special.xlogy, np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 3.0]))]
