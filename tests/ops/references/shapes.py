"""What forward should equal: shapes."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

Y = some(2, 3, 4)

OTHERS = [
    (ops.Reshape((2, -1)), lambda x: x.reshape(2, 6), X),
    (ops.Reshape((2, -1), order="F"), lambda x: x.reshape((2, 6), order="F"), X),
    (ops.Reshape(()), lambda x: x.reshape(()), some(1, 1)),
    (ops.Reshape(), np.ravel, X),
    (ops.Ravel(), np.ravel, X),
    (ops.Ravel(), np.ravel, np.array(1.0)),
    (ops.Ravel("F"), lambda x: np.ravel(x, "F"), Y),
    (ops.Transpose(), np.transpose, X),
    (ops.Transpose((2, 0, 1)), lambda x: np.transpose(x, (2, 0, 1)), Y),
    (ops.Swapaxes(0, -1), lambda x: np.swapaxes(x, 0, -1), Y),
    (ops.Moveaxis(0, -1), lambda x: np.moveaxis(x, 0, -1), Y),
    (ops.Moveaxis((0, -1), (1, 0)), lambda x: np.moveaxis(x, (0, -1), (1, 0)), Y),
    (ops.ExpandDims(-1), lambda x: np.expand_dims(x, -1), X),
    (ops.ExpandDims((0, 2)), lambda x: np.expand_dims(x, (0, 2)), X),
    (ops.Squeeze(), np.squeeze, some(1, 3, 1)),
    (ops.Squeeze(-1), lambda x: np.squeeze(x, -1), some(1, 3, 1)),
    (ops.BroadcastTo((2, 3, 4)), lambda x: np.broadcast_to(x, (2, 3, 4)), some(3, 1)),
    (ops.BroadcastTo(3), lambda x: np.broadcast_to(x, 3), np.array(1.0)),
]
