"""What forward should equal: products of vectors, matrices and tensors."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import X, some


def blocks(x, y):
    """The Kronecker product of matrices, by its definition."""
    return np.block([[element * y for element in row] for row in x])


def cross(x, y):
    return np.stack([x[i - 2] * y[i - 1] - x[i - 1] * y[i - 2] for i in range(3)])


OTHERS = [
    *((ops.Matmul(), np.matmul, a, b) for a, b in [
        (some(3), some(3)), (some(3), some(3, 2)), (some(2, 3), some(3)), (some(5, 1, 2, 3), some(4, 3, 2)),
        (some(3), some(4, 3, 2)), (some(2, 0), some(0, 3)),
    ]),
    *((ops.Dot(), np.dot, a, b) for a, b in [
        (some(3), some(3)), (some(2, 3), some(3)), (some(3), some(4, 3, 2)), (some(2, 1, 3), some(4, 3, 5)),
        (some(), some(2, 3)), (some(2), some()), (some(), some()), (some(2, 0), some(0, 3)),
    ]),
    *((ops.Inner(), np.inner, a, b) for a, b in [
        (some(3), some(3)), (some(2, 3), some(3)), (some(2, 1, 3), some(4, 3)), (some(), some(2, 3)),
        (some(0), some(0)),
    ]),
    *((ops.Vdot(), np.vdot, a, b) for a, b in [
        (some(3), some(3)), (X, some(2, 6)), (some(), some(1)), (some(0), some(0)),
    ]),
    *((ops.Outer(), np.outer, a, b) for a, b in [(X, some(2)), (some(), some(3)), (some(0), some(2))]),
    *((ops.Tensordot(axes), lambda a, b, axes=axes: np.tensordot(a, b, axes), some(*s), some(*t)) for axes, s, t in [
        (2, (2, 3, 4), (3, 4, 5)), (0, (2, 3), (4,)), (0, (), ()), (1, (2, 3), (3,)), ((0, -1), (3, 2), (2, 3)),
        (([0, 1], [1, 0]), (3, 2, 4), (2, 3)), (((-1, 0), (0, 2)), (2, 3, 4), (4, 5, 2)), (1, (2, 0), (0, 3)),
    ]),
    (ops.Tensordot(), np.tensordot, some(3, 4), some(3, 4)),
    (ops.Kron(), blocks, some(2, 3), some(3, 2)),
    (ops.Kron(), blocks, some(1, 3), some(2, 1)),
    *((ops.Kron(), np.kron, some(*s), some(*t)) for s, t in [
        ((3,), (2,)), ((2, 2), (3,)), ((), (2, 3)), ((), ()), ((2, 1, 3), (2, 2)), ((0,), (3,)),
    ]),
    (ops.Cross(), cross, some(3), some(3)),
    (ops.Cross(axis=0), cross, some(3, 4, 2), some(3, 4, 2)),
    (ops.Cross(axis=0), np.linalg.cross, some(3), some(3)),
    (ops.Cross(axis=-1), np.linalg.cross, some(4, 1, 3), some(2, 3)),
    (ops.Cross(axis=0), lambda x, y: np.linalg.cross(x, y, axis=0), some(3, 4), some(3)),
    (ops.Cross(axis=-2), lambda x, y: np.linalg.cross(x, y, axis=-2), some(2, 3, 4), some(3, 1)),
    (ops.MultiDot(), lambda a, b: a @ b, some(2, 3), some(3, 4)),
    (ops.MultiDot(), lambda a, b, c: a @ b @ c, some(2, 3), some(3, 4), some(4, 5)),
    (ops.MultiDot(), lambda a, b, c, d: a @ b @ c @ d, some(3), some(3, 4), some(4, 2), some(2)),
    (ops.MultiDot(), lambda a, b: a @ b, some(3), some(3)),
]  # fmt: skip
