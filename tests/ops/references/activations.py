"""What forward should equal: activation functions."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import LINE, X

UNARY = [
    (ops.Relu, lambda x: x * (x > 0), LINE), (ops.LeakyRelu, lambda x: np.where(x > 0, x, 0.01 * x), LINE),
    (ops.Elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), LINE),
    (ops.Softplus, lambda x: -special.log_expit(-x), LINE), (ops.Silu, lambda x: x * special.expit(x), LINE),
    (ops.Gelu, lambda x: 0.5 * x * special.erfc(-x / np.sqrt(2)), LINE),
]  # fmt: skip

OTHERS = [
    (ops.LeakyRelu(0.5), lambda x: np.where(x > 0, x, 0.5 * x), X),
    (ops.Elu(2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0))), X),
    (ops.Softmax(), lambda x: special.softmax(x, axis=-1), X),
    (ops.Softmax(axis=0), lambda x: special.softmax(x, axis=0), 1e3 * X),
    (ops.LogSoftmax(axis=0), lambda x: special.log_softmax(x, axis=0), 1e3 * X),
]
