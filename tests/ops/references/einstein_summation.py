"""What forward should equal: Einstein's summation."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import some

OTHERS = [
    (ops.Einsum(s), lambda *a, s=s: np.einsum(s, *a), *arrays) for s, *arrays in [
        ("ij,jk->ik", some(2, 3), some(3, 4)), ("ii", some(3, 3)), ("iij->ji", some(3, 3, 2)),
        ("bij,bjk", some(2, 3, 4), some(2, 4, 5)), ("i,j,k->kji", some(2), some(3), some(4)),
        ("ba", some(2, 3)), ("ij, jk -> ik", some(2, 1), some(3, 4)),
        ("...ij,...jk->...ik", some(5, 1, 2, 3), some(4, 3, 2)), ("b...a", some(2, 3, 4)),
        ("...ii->...i", some(2, 3, 3)), ("i...->...", some(2, 3, 4)), ("...,...", some(2, 1), some(3)),
        ("...", some()), (",", some(), some()),
        ("i->", some(0)),
    ]
]  # fmt: skip
