"""Attention (Vaswani et al., "Attention is all you need", 2017)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast
from adverify.ops.softmaxes import pull_back_shares, shares_of


class ScaledDotProductAttention(Function):
    """softmax(query @ key.T * scale) @ value: for each query the values, in proportion to how its key suits it.

    Inputs: query (..., l, e), key (..., s, e), value (..., s, v). A query that may attend to no key gets zeros.

    Parameters
    ----------
    attn_mask : array_like, optional
        Broadcasts to (..., l, s): True where a query may attend to a key, or numbers that are added before softmax.
    is_causal : bool
        Whether a query may attend to no key that comes after it.
    scale : float, optional
        1 / sqrt(e) by default.
    """

    signature = "(l,e),(s,e),(s,v)->(l,v)"
    arguments: ClassVar = {"attn_mask": (None, [True, False], [0.5, -1.5]), "is_causal": (False, True)}

    def __init__(self, attn_mask: Any = None, is_causal: bool = False, scale: float | None = None) -> None:
        self.attn_mask = None if attn_mask is None else np.asarray(attn_mask)
        if self.attn_mask is not None and self.attn_mask.dtype.kind not in "bfiu":
            raise ValueError(f"attn_mask must hold booleans or numbers; got {self.attn_mask.dtype}")
        self.is_causal, self.scale = is_causal, scale

    def forward(self, query: Variable, key: Variable, value: Variable) -> Variable:
        q, k, v = query.data, key.data, value.data
        if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
            raise ValueError("scaled_dot_product_attention takes query (..., l, e), key (..., s, e) and value "
                             f"(..., s, v); got {q.shape}, {k.shape} and {v.shape}")  # fmt: skip
        return variable(self._shares(q, k) @ v)

    def backward(self, query: Variable, key: Variable, value: Variable, grad: Any) -> None:
        q, k, v = query.data, key.data, value.data
        shares = self._shares(q, k)
        scores = pull_back_shares(shares, grad @ _t(v), -1) * self._scale(q)
        query.grad += unbroadcast(scores @ k, q.shape)
        key.grad += unbroadcast(_t(scores) @ q, k.shape)
        value.grad += unbroadcast(_t(shares) @ grad, v.shape)

    def _shares(self, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        scores = q @ _t(k) * self._scale(q)
        if self.attn_mask is not None:
            if np.broadcast_shapes(self.attn_mask.shape, scores.shape) != scores.shape:
                raise ValueError(f"attn_mask of shape {self.attn_mask.shape} does not broadcast to the scores' "
                                 f"{scores.shape}")  # fmt: skip
            if self.attn_mask.dtype == bool:
                scores = np.where(self.attn_mask, scores, -np.inf)
            else:
                scores = scores + self.attn_mask.astype(scores.dtype)
        if self.is_causal:
            scores = np.where(np.tri(*scores.shape[-2:]) > 0, scores, -np.inf)
        return shares_of(scores, -1)

    def _scale(self, q: np.ndarray) -> float:
        return 1 / math.sqrt(max(1, q.shape[-1])) if self.scale is None else self.scale


def _t(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)
