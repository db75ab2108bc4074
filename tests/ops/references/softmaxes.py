"""What forward should equal: softmax and its logarithm."""

import numpy as np
from scipy import special

from adverify import ops
from tests.ops.references.samples import X, some

OTHERS = [
    (ops.Softmax(), lambda x: special.softmax(x, axis=-1), X),
    (ops.Softmax(axis=0), lambda x: special.softmax(x, axis=0), 1e3 * X),
    (ops.Softmax(axis=1), lambda x: special.softmax(x, axis=1), some(2, 3, 4)),
    (ops.Softmax(), np.zeros_like, some(2, 0)),
    (ops.LogSoftmax(axis=0), lambda x: special.log_softmax(x, axis=0), 1e3 * X),
    (ops.LogSoftmax(axis=-2), lambda x: special.log_softmax(x, axis=-2), some(2, 3, 4)),
]
