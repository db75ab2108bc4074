"""What forward should equal: layers and losses."""

import numpy as np
from scipy import signal, special

from adverify import ops
from tests.ops.references.samples import X, some

IMAGES, KERNELS = some(2, 3, 6, 5), some(4, 3, 3, 2)


def correlated(x, w, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    full = [[sum(signal.correlate2d(c, k, "valid") for c, k in zip(image, kernel, strict=True)) for kernel in w]
            for image in x]  # fmt: skip
    return np.array(full)[:, :, ::stride, ::stride]


def standardised(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


OTHERS = [
    (ops.Linear(), lambda x, w, b: np.einsum("abk,mk->abm", x, w) + b, some(2, 3, 4), some(5, 4), some(5)),
    (ops.Linear(), lambda x, w: w @ x, some(4), some(5, 4)),
    (ops.LayerNorm(), standardised, some(3, 5)),
    (ops.CrossEntropy([2, 0, 3]), lambda x: -np.log(special.softmax(x, axis=1))[[0, 1, 2], [2, 0, 3]].mean(), X),
    (ops.Conv2d(), correlated, IMAGES, KERNELS),
    (ops.Conv2d(stride=2, padding=1), lambda x, w: correlated(x, w, 2, 1), IMAGES, KERNELS),
]
