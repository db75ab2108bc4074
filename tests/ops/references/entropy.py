"""What forward should equal: products with logarithms."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import POSITIVE, some

UNARY = [(ops.Entr, lambda x: -special.xlogy(x, x), np.append(POSITIVE, 0))]

P, Q = np.array([0.0, 1.0, 0.3, 2.0]), np.abs(some(3, 4)) + 0.1
OTHERS = [
    (ops.Xlogy(), special.xlogy, np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5, 3.0])),
    (ops.Xlog1py(), special.xlog1py, np.array([0.0, 1.0, -2.0]), np.array([-1.0, -0.5, 1e-20])),
    (ops.RelEntr(), lambda p, q: special.xlogy(p, p / q), P, Q),
    (ops.KlDiv(), lambda p, q: special.xlogy(p, p / q) - p + q, P, Q),
]
