"""What forward should equal: exponentials and logarithms."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import LINE, POSITIVE

UNARY = [
    (ops.Exp, np.exp, LINE[LINE < 700]), (ops.Exp2, lambda x: 2.0**x, LINE[LINE < 1000]),
    (ops.Expm1, np.expm1, LINE[LINE < 700]), (ops.Log, np.log, POSITIVE), (ops.Log2, np.log2, POSITIVE),
    (ops.Log10, np.log10, POSITIVE), (ops.Log1p, np.log1p, LINE[LINE > -1]),
]  # fmt: skip

BINARY = [
    (ops.Logaddexp, lambda x, y: np.log(np.exp(x) + np.exp(y))),
    (ops.Logaddexp2, lambda x, y: np.log2(2**x + 2**y)),
]

OTHERS = [
    (ops.Logaddexp(), np.logaddexp, np.array([800.0, -800.0, 1e300]), np.array([799.0, -1e300, -1e300])),
    (ops.Logaddexp2(), np.logaddexp2, np.array([2e3, -2e3, 1e300]), np.array([2001.0, -1e300, -1e300])),
]
