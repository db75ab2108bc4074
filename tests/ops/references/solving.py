"""What forward should equal: systems of equations and inverses."""

import numpy as np
from scipy import linalg

from adverify import ops
from tests.ops.references.samples import some

LONG, WIDE = some(5, 3), some(3, 5)
LOW_RANK = some(4, 2) @ some(2, 3)


def triangular(a, b, trans, lower, unit_diagonal):
    return linalg.solve_triangular(a, b, trans, lower, unit_diagonal)


def of_each(reference):
    return lambda a, b: np.stack([reference(x, y) for x, y in zip(a, b, strict=True)])


OTHERS = [
    (ops.Inv(), np.linalg.inv, some(2, 3, 3)),
    (ops.Inv(), np.linalg.inv, some(0, 0)),
    *((ops.Solve(), np.linalg.solve, some(*s), some(*t)) for s, t in [
        ((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (3,)), ((2, 3, 3), (3, 4)), ((4, 1, 3, 3), (2, 3, 1)),
        ((3, 3), (2, 3, 2)), ((0, 0), (0,)), ((1, 1), (1,)),
    ]),
    *((ops.SolveTriangular(*how), lambda a, b, how=how: triangular(a, b, *how), some(4, 4) + np.eye(4), b)
      for how in [(0, False, False), ("N", True, False), (1, False, True), ("T", True, True), (2, True, False)]
      for b in (some(4), some(4, 2))),
    (ops.SolveTriangular(lower=True), of_each(lambda a, b: linalg.solve_triangular(a, b, lower=True)),
     some(2, 3, 3), some(2, 3, 4)),
    *((ops.Pinv(), linalg.pinv, a) for a in (some(3, 3), LONG, WIDE, LOW_RANK)),
    (ops.Pinv(), np.linalg.pinv, some(2, 3, 0)),
    (ops.Pinv(rcond=0.5), lambda a: linalg.pinv(a, rtol=0.5), np.diag([1.0, 0.4, 0.6])),
    *((ops.Lstsq(), lambda a, b: linalg.lstsq(a, b)[0], a, b) for a, b in [
        (some(3, 3), some(3)), (LONG, some(5)), (LONG, some(5, 2)), (WIDE, some(3, 2)), (LOW_RANK, some(4)),
    ]),
    (ops.Lstsq(rcond=0.5), lambda a, b: linalg.lstsq(a, b, cond=0.5)[0], np.diag([1.0, 0.4, 0.6]), some(3)),
]  # fmt: skip
