"""What forward should equal: activation functions."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import LINE, X


def leaky(x, slope=0.01):
    return np.where(x > 0, x, slope * x)


def elu(x, alpha=1.0, scale=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def mish(x):
    """By tanh(log(u)) = (u**2 - 1) / (u**2 + 1), with u - 1 = exp(x), where that does not overflow."""
    e = np.exp(np.minimum(x, 40))
    return x * e * (e + 2) / (e * (e + 2) + 2)


def gelu_by_tanh(x):
    inner = np.clip(x, -1e3, 1e3)
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))


UNARY = [
    (ops.Relu, lambda x: x * (x > 0), LINE), (ops.LeakyRelu, leaky, LINE), (ops.Elu, elu, LINE),
    (ops.Selu, lambda x: elu(x, 1.6732632423543772, 1.0507009873554805), LINE), (ops.Celu, elu, LINE),
    (ops.Softplus, lambda x: -special.log_expit(-x), LINE), (ops.Logsigmoid, lambda x: -np.logaddexp(0, -x), LINE),
    (ops.Softsign, lambda x: np.sign(x) * (1 - 1 / (1 + np.abs(x))), LINE),
    (ops.Silu, lambda x: x * special.expit(x), LINE), (ops.Mish, mish, LINE),
    (ops.Gelu, lambda x: 0.5 * x * special.erfc(-x / np.sqrt(2)), LINE),
    (ops.Hardtanh, lambda x: np.maximum(-1, np.minimum(x, 1)), LINE),
    (ops.Hardsigmoid, lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6, LINE),
    (ops.Hardswish, lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6, LINE),
]  # fmt: skip

OTHERS = [
    (ops.LeakyRelu(0.5), lambda x: leaky(x, 0.5), X),
    (ops.Elu(2.0), lambda x: elu(x, 2.0), X),
    (ops.Celu(0.3), lambda x: np.maximum(x, 0) + np.minimum(0, 0.3 * (np.exp(x / 0.3) - 1)), X),
    (ops.Softplus(2.0), lambda x: np.log(1 + np.exp(2 * x)) / 2, X),
    (ops.Gelu("tanh"), gelu_by_tanh, LINE),
    (ops.Hardtanh(0.0, 6.0), lambda x: np.minimum(np.maximum(x, 0), 6), 5 * X),
]
