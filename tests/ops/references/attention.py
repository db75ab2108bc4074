"""What forward should equal: attention, query by query."""

import numpy as np

from adverify import ops
from tests.ops.references.samples import some


def attended(q, k, v, may=None, added=None, scale=None):
    may = np.ones((len(q), len(k)), bool) if may is None else np.broadcast_to(may, (len(q), len(k)))
    added = np.zeros(may.shape) if added is None else np.broadcast_to(added, may.shape)
    rows = []
    for query, allowed, extra in zip(q, may, added, strict=True):
        powers = [np.exp(query @ key * (scale or q.shape[1] ** -0.5) + e) * a
                  for key, a, e in zip(k, allowed, extra, strict=True)]  # fmt: skip
        rows.append(sum(p * value for p, value in zip(powers, v, strict=True)) / (sum(powers) or 1))
    return np.array(rows)


Q, K, V = some(3, 2), some(4, 2), some(4, 5)
MASK = np.array([[True, False, True, True], [False] * 4, [True] * 4])
BIAS = some(3, 4)

OTHERS = [
    (ops.ScaledDotProductAttention(), attended, Q, K, V),
    (ops.ScaledDotProductAttention(scale=2.0), lambda *a: attended(*a, scale=2.0), Q, K, V),
    (ops.ScaledDotProductAttention(MASK), lambda *a: attended(*a, may=MASK), Q, K, V),
    (ops.ScaledDotProductAttention(BIAS), lambda *a: attended(*a, added=BIAS), Q, K, V),
    (ops.ScaledDotProductAttention(is_causal=True), lambda *a: attended(*a, may=np.tri(3, 4)), Q, K, V),
    (ops.ScaledDotProductAttention(), lambda q, k, v: np.array([[attended(h, k[0], v[0]) for h in b] for b in q]),
     some(2, 3, 3, 2), K[None], V[None]),
]  # fmt: skip
