"""What forward should equal: traces and determinants."""

import numpy as np
from scipy import linalg

from adverify import ops
from tests.ops.references.samples import some


def sign_and_logarithm(a):
    determinant = linalg.det(a)
    return [np.sign(determinant), np.log(np.abs(determinant))]


OTHERS = [
    (ops.Trace(), np.linalg.trace, some(2, 3, 4)),
    (ops.Trace(offset=-1), lambda a: np.linalg.trace(a, offset=-1), some(3, 4)),
    (ops.Trace(offset=7), lambda a: np.zeros(()), some(3, 4)),
    (ops.Trace(1, 0, 2), lambda a: np.trace(a, 1, 0, 2), some(3, 2, 4)),
    (ops.Trace(1, -1, 0), lambda a: np.trace(a, 1, -1, 0), some(3, 2, 4)),
    (ops.Det(), linalg.det, some(2, 3, 3)),
    (ops.Det(), np.linalg.det, np.ones((3, 3))),
    (ops.Det(), np.linalg.det, some(0, 0)),
    (ops.Slogdet(), sign_and_logarithm, some(3, 3)),
    (ops.Slogdet(), sign_and_logarithm, some(4, 2, 3, 3)),
    (ops.Slogdet(), lambda a: [np.array(-1.0), np.array(800 * np.log(10))], np.diag([-1e200, 1e200, 1e200, 1e200])),
]
