"""What forward should equal: functions of a matrix as a whole."""

import mpmath
import numpy as np

from adverify import ops
from tests.ops.references.samples import some


def expm(a):
    with mpmath.workdps(40):
        return np.array(mpmath.expm(mpmath.matrix(a), method="taylor").tolist(), float)


OTHERS = [
    *((ops.MatrixPower(n), lambda a, n=n: np.linalg.matrix_power(a, n), some(2, 3, 3)) for n in (0, 1, 3, -2)),
    (ops.MatrixPower(5), lambda a: a @ a @ a @ a @ a, some(2, 2)),
    (ops.MatrixPower(-3), lambda a: np.linalg.inv(a) @ np.linalg.inv(a) @ np.linalg.inv(a), some(2, 2) + 3 * np.eye(2)),
    (ops.MatrixPower(2), lambda a: a, some(0, 0)),
    (ops.Expm(), expm, 0.5 * some(3, 3)),
    (ops.Expm(), expm, 1e-3 * some(4, 4)),
    (ops.Expm(), lambda a: np.stack([expm(x) for x in a]), some(2, 2, 2)),
    (ops.Expm(), lambda a: np.exp(a) * np.eye(2), np.diag([-800.0, 3.0])),
    (ops.Expm(), lambda a: a, some(0, 0)),
]
