"""How alike directions are."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast
from adverify.ops.projections import components, lengths_of


class CosineSimilarity(Function):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along an axis; inputs broadcast.

    At the kink, where a vector's length is eps, its gradient is that of a shorter one.

    Parameters
    ----------
    axis : int
    eps : float
        Positive; shorter vectors count as of this length.
    """

    arguments: ClassVar = {"axis": (-1, 0)}

    def __init__(self, axis: int = -1, eps: float = 1e-8) -> None:
        if not eps > 0:
            raise ValueError(f"cosine_similarity needs eps > 0; got eps={eps}")
        self.axis, self.eps = axis, eps

    def forward(self, x1: Variable, x2: Variable) -> Variable:
        (u, _), (v, _) = (self._direction(x) for x in np.broadcast_arrays(x1.data, x2.data))
        return variable((u * v).sum(axis=self.axis))

    def backward(self, x1: Variable, x2: Variable, grad: Any) -> None:
        (u, a), (v, b) = (self._direction(x) for x in np.broadcast_arrays(x1.data, x2.data))
        grad = np.expand_dims(grad, self.axis)
        for x, own, other, length in ((x1, u, v, a), (x2, v, u, b)):
            # Longer or shorter, a vector points the same way: only what is across it counts, if it is not too short.
            across, _, _ = components(other, own, self.axis)
            share = grad * np.where(length > self.eps, across, other) / np.maximum(length, self.eps)
            x.grad += unbroadcast(share, x.data.shape)

    def _direction(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        length = lengths_of(x, self.axis)
        return x / np.maximum(length, self.eps), length
