"""The ops: no hints are needed, what suits each is found by trying."""

import numpy as np

from adverify import Function, variable


class Decibel(Function):
    """10 log10(x), of powers."""

    def forward(self, x):
        return variable(10 * np.log10(x.data))

    def backward(self, x, grad):
        x.grad += 10 / np.log(10) * grad / x.data


class SoftThreshold(Function):
    """Shrink toward zero by 1; between -1 and 1 both are zero, and so is the subgradient at either end."""

    def forward(self, x):
        return variable(np.sign(x.data) * np.maximum(np.abs(x.data) - 1, 0))

    def backward(self, x, grad):
        x.grad += np.where(np.abs(x.data) > 1, grad, 0)


class Difference(Function):
    """x[i + 1] - x[i], along the last axis."""

    def forward(self, x):
        return variable(x.data[..., 1:] - x.data[..., :-1])

    def backward(self, x, grad):
        x.grad[..., 1:] += grad
        x.grad[..., :-1] -= grad


class Mix(Function):
    """Mix sources (k, n) with weights (m, k)."""

    def forward(self, weights, sources):
        if weights.data.ndim != 2 or sources.data.ndim != 2:
            raise ValueError(f"expected two matrices; got shapes {weights.data.shape} and {sources.data.shape}")
        return variable(weights.data @ sources.data)

    def backward(self, weights, sources, grad):
        weights.grad += grad @ sources.data.T
        sources.grad += weights.data.T @ grad
