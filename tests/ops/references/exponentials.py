"""What forward should equal: exponentials, logarithms, trigonometric and hyperbolic functions."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import LINE, POSITIVE, UNIT

UNARY = [
    (ops.Exp, np.exp, LINE[LINE < 700]), (ops.Expm1, np.expm1, LINE[LINE < 700]), (ops.Log, np.log, POSITIVE),
    (ops.Log1p, np.log1p, LINE[LINE > -1]), (ops.Sin, np.sin, LINE), (ops.Cos, np.cos, LINE), (ops.Tan, np.tan, LINE),
    (ops.Arcsin, np.arcsin, UNIT), (ops.Arccos, np.arccos, UNIT), (ops.Arctan, np.arctan, LINE),
    (ops.Sinh, np.sinh, LINE[np.abs(LINE) < 700]), (ops.Cosh, np.cosh, LINE[np.abs(LINE) < 700]),
    (ops.Tanh, np.tanh, LINE), (ops.Arcsinh, np.arcsinh, LINE), (ops.Arccosh, np.arccosh, 1 + np.abs(LINE)),
    (ops.Arctanh, np.arctanh, UNIT[np.abs(UNIT) < 1]),
]  # fmt: skip

BINARY = [(ops.Logaddexp, np.logaddexp)]
