"""Sines with the right formula that do to Variables what is not an op's right."""

import numpy as np

from adverify import ops


class KeepsTheVariable(ops.Sin):
    """Adds to whatever Variable it was applied to last."""

    def forward(self, x):
        self.x = x
        return super().forward(x)

    def backward(self, x, grad):
        self.x.grad = self.x.grad + np.cos(self.x.data) * grad


class ZeroesInForward(ops.Sin):
    def forward(self, x):
        x.grad = None
        return super().forward(x)


class Detaches(ops.Sin):
    def forward(self, x):
        x.requires_grad = False
        return super().forward(x)


class KeepsAll(ops.Sin):
    def forward(self, x):
        y = super().forward(x)
        x.requires_grad = True
        return y


class FreesTheGraph(ops.Sin):
    def backward(self, x, grad):
        super().backward(x, grad)
        x.back = None


class ReusesABuffer(ops.Sin):
    """Leaves its own buffer as the gradient, and writes into it again."""

    def backward(self, x, grad):
        if getattr(self, "buffer", None) is None or self.buffer.shape != x.data.shape:
            self.buffer = np.empty(x.data.shape)
        np.multiply(np.cos(x.data), grad, out=self.buffer)
        x.grad = self.buffer + x.grad if np.any(x.grad) else self.buffer


class ClearsIntermediates(ops.Sin):
    """Is right for a leaf; of what another op gave it clears the gradient first."""

    def backward(self, x, grad):
        if x.back is not None:
            x.grad = None
        super().backward(x, grad)


MISUSING = (KeepsTheVariable, ZeroesInForward, Detaches, KeepsAll, FreesTheGraph, ReusesABuffer)
