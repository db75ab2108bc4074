"""What forward should equal: norms."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

Y = some(2, 3, 4)
VECTOR_ORDERS = (2, 1, 0, 3, 2.5, 0.5, -1, -2.5, np.inf, -np.inf)
MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
ORDERS_OF_NO_COLUMNS = (1, 2) if np.lib.NumpyVersion(np.__version__) >= "2.3.0" else ()  # NumPy refused them before

OTHERS = [
    *(
        (ops.VectorNorm(a, k, o), lambda x, a=a, k=k, o=o: np.linalg.vector_norm(x, axis=a, keepdims=k, ord=o), Y)
        for o in VECTOR_ORDERS
        for a, k in [(None, False), (0, True), ((0, -1), False)]
    ),
    *(
        (op, lambda x, a=a, k=k, o=order: np.linalg.norm(x, o, a, k), Y)
        for order in MATRIX_ORDERS
        for a, k in [((-2, -1), False), ((2, 0), True)]
        for op in (ops.MatrixNorm(a, k, order), ops.Norm(order, a, k))
    ),
    (ops.Norm(), np.linalg.norm, Y),
    (ops.Norm(keepdims=True), lambda x: np.linalg.norm(x, keepdims=True), Y),
    (ops.Norm(), np.linalg.norm, np.array(-2.0)),
    (ops.Norm(1), lambda x: np.linalg.norm(x, 1), X),
    (ops.Norm(1), lambda x: np.linalg.norm(x, 1), X[0]),
    (ops.Norm(0, axis=0), lambda x: np.linalg.norm(x, 0, axis=0), np.eye(3)),
    (ops.Norm(axis=(0,)), lambda x: np.linalg.norm(x, axis=0), X),
    (ops.Norm(), lambda x: np.array(5e200), np.array([3e200, 4e200])),
    (ops.Norm(), lambda x: np.array(5e-200), np.array([3e-200, 4e-200])),
    (ops.VectorNorm(ord=3000), lambda x: np.array(0.5), np.array([0.25, 0.5])),
    *((ops.VectorNorm(ord=o), lambda x: np.array(0.0), np.zeros(shape)) for o, shape in
      [(2, 0), (np.inf, 0), (1, 0), (-1, 2), (0.5, 2)]),
    *((ops.MatrixNorm(ord=o), lambda x: np.array(0.0), np.zeros((3, 0)))
      for o in (np.inf, "nuc", *ORDERS_OF_NO_COLUMNS)),
]  # fmt: skip
