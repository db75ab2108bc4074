"""What forward should equal: picking elements."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some

Y = some(2, 3, 4)
INDICES = [
    ([0, 1, 1], slice(None, None, -2)),
    (..., None, 1),
    (),
    ...,
    -1,
    (slice(2, 0, -1), [1, 1, 0]),
    np.array([True, False, True]),
    np.arange(12).reshape(3, 4) % 5 == 0,
    [],
    True,
    (np.array([[0], [2]]), None, np.array([1, 3])),
]


def scattered(index):
    def reference(x, y):
        total = x.copy()
        np.add.at(total, index, y)
        return total

    return reference


OTHERS = [
    *((ops.Getitem(i), lambda x, i=i: x[i], X) for i in INDICES),
    (ops.Getitem([]), lambda x: x[:0], X),
    (ops.Getitem([2, 2]), lambda x: np.stack([x[2], x[2]]), X),
    (ops.Getitem(([0, 1], ..., [1, 0])), lambda x: x[[0, 1], ..., [1, 0]], Y),
    *((ops.ScatterAdd(i), scattered(i), X, np.asarray(some(*np.shape(X[i])))) for i in INDICES),
    (ops.ScatterAdd([0, 0]), scattered([0, 0]), X, np.array(2.0)),
    (ops.Take([[1, 0], [-1, 0]], axis=1), lambda x: np.take(x, [[1, 0], [-1, 0]], axis=1), X),
    (ops.Take([5, -1]), lambda x: np.take(x, [5, -1]), X),
    (ops.Take(7, axis=0, mode="wrap"), lambda x: np.take(x, 7, axis=0, mode="wrap"), X),
    (ops.Take([7, -9], axis=0, mode="clip"), lambda x: np.take(x, [7, -9], axis=0, mode="clip"), X),
    (ops.TakeAlongAxis([[3, 0, 0]]), lambda x: np.take_along_axis(x, np.array([[3, 0, 0]]), -1), X),
    (ops.TakeAlongAxis([[2], [-3]], axis=0), lambda x: np.take_along_axis(x, np.array([[2], [-3]]), 0), X),
    (ops.TakeAlongAxis([11, 0], axis=None), lambda x: np.take_along_axis(x, np.array([11, 0]), None), X),
]
