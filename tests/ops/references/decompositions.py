"""What forward should equal: factorisations, with their signs made unique."""

import numpy as np
from scipy import linalg

from adverify import ops
from tests.ops.references.samples import positive_definite, some

LONG, WIDE = some(5, 3), some(3, 5)
SYMMETRIC = some(4, 4)
SYMMETRIC = SYMMETRIC + SYMMETRIC.T
TIED = np.array([[1.0, 2.0], [2.0, 1.0]])
"""Its vectors are (1, -1) and (1, 1): the leading components are the first."""


def qr(a):
    q, r = linalg.qr(a, mode="economic")
    for i in range(q.shape[1]):
        if r[i, i] < 0:
            q[:, i], r[i] = -q[:, i], -r[i]
    return [q, r]


def sign_of_leading(vector):
    size = np.abs(vector)
    return np.sign(next(x for x in vector if abs(x) >= 0.9 * size.max()))


def eigh(a):
    w, v = linalg.eigh(a)
    return [w, v * [sign_of_leading(column) for column in v.T]]


def svd(a):
    u, s, vh = linalg.svd(a, full_matrices=False)
    signs = np.array([sign_of_leading(column) for column in u.T])
    return [u * signs, s, signs[:, None] * vh]


def of_each(reference):
    """Apply to each matrix of a stack; where outputs are several, each is stacked."""

    def apply(a):
        results = [reference(x) for x in a]
        return [np.stack(r) for r in zip(*results, strict=True)] if isinstance(results[0], list) else np.stack(results)

    return apply


OTHERS = [
    (ops.Cholesky(), lambda a: linalg.cholesky(a, lower=True), positive_definite(4)),
    (ops.Cholesky(), of_each(lambda a: linalg.cholesky(a, lower=True)), positive_definite(3, 2)),
    (ops.Cholesky(upper=True), linalg.cholesky, positive_definite(4)),
    *((ops.QR(), qr, a) for a in (LONG, WIDE, some(3, 3), -np.eye(2))),
    (ops.QR(), of_each(qr), some(2, 4, 3)),
    (ops.QR(mode="r"), lambda a: qr(a)[1], LONG),
    (ops.QR(), lambda a: [some(3, 0), some(0, 0)], some(3, 0)),
    (ops.Eigvalsh(), linalg.eigvalsh, SYMMETRIC),
    (ops.Eigvalsh(UPLO="U"), lambda a: linalg.eigvalsh(a, lower=False), some(3, 3)),
    (ops.Eigvalsh(), np.linalg.eigvalsh, some(0, 0)),
    (ops.Eigh(), eigh, SYMMETRIC),
    (ops.Eigh(UPLO="U"), lambda a: eigh(np.triu(a) + np.triu(a, 1).T), some(3, 3)),
    (ops.Eigh(), of_each(eigh), SYMMETRIC[None, ::-1, ::-1]),
    (ops.Eigh(), lambda a: [np.array([-1.0, 3.0]), np.sqrt(0.5) * np.array([[1.0, 1.0], [-1.0, 1.0]])], TIED),
    (ops.Eigh(), lambda a: [np.zeros(0), a], some(0, 0)),
    *((ops.Svdvals(), linalg.svdvals, a) for a in (LONG, WIDE)),
    (ops.Svdvals(), of_each(linalg.svdvals), some(2, 3, 4)),
    *((ops.SVD(), svd, a) for a in (LONG, WIDE, some(3, 3))),
    (ops.SVD(), of_each(svd), some(2, 3, 4)),
    (ops.SVD(), lambda a: [some(3, 0), some(0), some(0, 0)], some(3, 0)),
]
