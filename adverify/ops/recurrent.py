"""Cells of recurrent networks, as PyTorch defines them: one step each."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from adverify.engine import Function, Variable, variable


class Cell(Function, ABC):
    """What cells have in common: gates are linear in the input and the state, w_ih @ x + b_ih and w_hh @ h + b_hh.

    Blocks of h rows of the weights belong to one gate each.
    """

    gates: ClassVar[int]

    def linear(self, x: Variable, h: Variable, weights: Sequence[Variable | None]) -> tuple[Any, Any]:
        """What each gate gets from the input and from the state, gates first."""
        w_ih, w_hh, b_ih, b_hh = (None if w is None else w.data for w in (*weights, None, None)[:4])
        assert w_ih is not None
        assert w_hh is not None
        size = h.data.shape[-1:]
        rows = (self.gates * math.prod(size),)
        fits = x.data.ndim >= 1 and h.data.ndim >= 1 and x.data.shape[:-1] == h.data.shape[:-1]
        fits = fits and w_ih.shape == rows + x.data.shape[-1:] and w_hh.shape == rows + size
        if not fits or any(b is not None and b.shape != rows for b in (b_ih, b_hh)):
            many = f"{self.gates} h".removeprefix("1 ")
            got = ", ".join(str(v.data.shape) for v in (x, h, *weights) if v is not None)
            raise ValueError(f"{type(self).__name__} takes x (..., i), states (..., h), w_ih ({many}, i), "
                             f"w_hh ({many}, h), b_ih and b_hh ({many},); got {got}")  # fmt: skip
        given = x.data @ w_ih.T + (0 if b_ih is None else b_ih)
        kept = h.data @ w_hh.T + (0 if b_hh is None else b_hh)
        return tuple(np.moveaxis(a.reshape(*a.shape[:-1], self.gates, *size), -2, 0) for a in (given, kept))

    def pull_back(self, x: Variable, h: Variable, weights: Sequence[Variable | None], given: Any, kept: Any) -> None:
        """Add the gradients of what goes into `linear`, from those of what comes out, gates first."""
        w_ih, w_hh, b_ih, b_hh = (*weights, None, None)[:4]
        for v, weight, bias, grads in ((x, w_ih, b_ih, given), (h, w_hh, b_hh, kept)):
            assert weight is not None
            rows = np.stack(grads, axis=-2).reshape(math.prod(v.data.shape[:-1]), len(weight.data))
            v.grad += (rows @ weight.data).reshape(v.data.shape)
            weight.grad += rows.T @ v.data.reshape(len(rows), v.data.shape[-1])
            if bias is not None:
                bias.grad += rows.sum(axis=0)


class RnnCell(Cell):
    """tanh(w_ih @ x + b_ih + w_hh @ h + b_hh), or relu of that; the subgradient of relu at 0 is 0.

    Inputs: x (..., i), h (..., h), w_ih (h, i), w_hh (h, h), and optionally b_ih and b_hh (h,).

    Parameters
    ----------
    nonlinearity : {"tanh", "relu"}
    """

    gates = 1
    signature = "(n,i),(n,h),(h,i),(h,h),(h),(h)->(n,h)"
    arguments: ClassVar = {"nonlinearity": ("tanh", "relu")}

    def __init__(self, nonlinearity: str = "tanh") -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"rnn_cell needs a nonlinearity of tanh or relu; got {nonlinearity!r}")
        self.nonlinearity = nonlinearity

    def forward(
        self, x: Variable, h: Variable, w_ih: Variable, w_hh: Variable, b_ih: Variable | None = None,
        b_hh: Variable | None = None,
    ) -> Variable:  # fmt: skip
        (given,), (kept,) = self.linear(x, h, (w_ih, w_hh, b_ih, b_hh))
        return variable(np.tanh(given + kept) if self.nonlinearity == "tanh" else np.maximum(given + kept, 0))

    def backward(self, x: Variable, h: Variable, *weights_and_grad: Any) -> None:
        *weights, grad = weights_and_grad
        (given,), (kept,) = self.linear(x, h, weights)
        share = grad * (_tanh_slope(given + kept) if self.nonlinearity == "tanh" else given + kept > 0)
        self.pull_back(x, h, weights, (share,), (share,))


class LstmCell(Cell):
    """One step of a long short-term memory: the new state o * tanh(c'), and the new memory c' = f * c + i * g.

    The gates i, f and o are sigmoids, g a tanh, in the order i, f, g, o in the weights' rows.

    Inputs: x (..., i), h and c (..., h), w_ih (4 h, i), w_hh (4 h, h), and optionally b_ih and b_hh (4 h,).
    """

    gates = 4
    signature = "(n,i),(n,2),(n,2),(8,i),(8,2),(8),(8)->(n,2),(n,2)"

    def forward(
        self, x: Variable, h: Variable, c: Variable, w_ih: Variable, w_hh: Variable, b_ih: Variable | None = None,
        b_hh: Variable | None = None,
    ) -> tuple[Variable, Variable]:  # fmt: skip
        i, f, g, o = self._gates(x, h, c, (w_ih, w_hh, b_ih, b_hh))
        memory = expit(f) * c.data + expit(i) * np.tanh(g)
        return variable(expit(o) * np.tanh(memory)), variable(memory)

    def backward(self, x: Variable, h: Variable, c: Variable, *weights_and_grad: Any) -> None:
        *weights, (grad, memory_grad) = weights_and_grad
        i, f, g, o = self._gates(x, h, c, weights)
        memory = expit(f) * c.data + expit(i) * np.tanh(g)
        memory_grad = memory_grad + grad * expit(o) * _tanh_slope(memory)
        c.grad += memory_grad * expit(f)
        shares = (
            memory_grad * np.tanh(g) * _sigmoid_slope(i),
            memory_grad * c.data * _sigmoid_slope(f),
            memory_grad * expit(i) * _tanh_slope(g),
            grad * np.tanh(memory) * _sigmoid_slope(o),
        )
        self.pull_back(x, h, weights, shares, shares)

    def _gates(self, x: Variable, h: Variable, c: Variable, weights: Sequence[Variable | None]) -> Any:
        if c.data.shape != h.data.shape:
            raise ValueError(f"LstmCell takes h and c of one shape; got {h.data.shape} and {c.data.shape}")
        given, kept = self.linear(x, h, weights)
        return given + kept


class GruCell(Cell):
    """One step of a gated recurrent unit: (1 - z) * n + z * h with n = tanh(given + r * kept).

    The gates r and z are sigmoids; r, z and n come in this order in the weights' rows. What r resets is
    w_hh @ h + b_hh, after the product.

    Inputs: x (..., i), h (..., h), w_ih (3 h, i), w_hh (3 h, h), and optionally b_ih and b_hh (3 h,).
    """

    gates = 3
    signature = "(n,i),(n,2),(6,i),(6,2),(6),(6)->(n,2)"

    def forward(
        self, x: Variable, h: Variable, w_ih: Variable, w_hh: Variable, b_ih: Variable | None = None,
        b_hh: Variable | None = None,
    ) -> Variable:  # fmt: skip
        given, kept = self.linear(x, h, (w_ih, w_hh, b_ih, b_hh))
        r, z = given[:2] + kept[:2]
        return variable(expit(-z) * np.tanh(given[2] + expit(r) * kept[2]) + expit(z) * h.data)

    def backward(self, x: Variable, h: Variable, *weights_and_grad: Any) -> None:
        *weights, grad = weights_and_grad
        given, kept = self.linear(x, h, weights)
        r, z = given[:2] + kept[:2]
        n = given[2] + expit(r) * kept[2]
        n_share = grad * expit(-z) * _tanh_slope(n)
        r_share = _through(_sigmoid_slope(r), n_share * kept[2])
        z_share = grad * (h.data - np.tanh(n)) * _sigmoid_slope(z)
        h.grad += grad * expit(z)
        self.pull_back(x, h, weights, (r_share, z_share, n_share), (r_share, z_share, n_share * expit(r)))


def _through(slope: Any, value: Any) -> Any:
    """slope * value, and 0 where a saturated gate lets nothing through, be it infinite."""
    return np.where(slope == 0, 0, slope * value)


def _sigmoid_slope(x: Any) -> Any:
    return expit(x) * expit(-x)


def _tanh_slope(x: Any) -> Any:
    """1 - tanh(x)**2, without the difference that cancels."""
    return 4 * _sigmoid_slope(2 * x)
