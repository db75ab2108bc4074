"""Ops whose numbers are right once, in double precision, for fresh arrays: and then are not."""

from typing import ClassVar

import numpy as np

from adverify import Function, variable


class AddsToTheFirstOnly(Function):
    """The second input's gradient is assigned."""

    violates = "accumulation"
    witness = ([1.0, 2.0], [3.0, 4.0])

    def forward(self, x, y):
        if x.data.shape != y.data.shape:
            raise ValueError("expected equal shapes")
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        x.grad += grad * y.data
        y.grad[...] = grad * x.data


class DoublesWhatIsThere(Function):
    """grad = 2 * grad + share, from a copied line."""

    violates = "accumulation"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.tanh(x.data))

    def backward(self, x, grad):
        x.grad = x.grad + grad * (1 - np.tanh(x.data) ** 2) + x.grad


class OnlyIfNothingIsThere(Function):
    """Skips inputs that have a gradient already."""

    violates = "accumulation"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.arctan(x.data))

    def backward(self, x, grad):
        if not np.any(x.grad):
            x.grad += grad / (1 + x.data**2)


class NormalisesTheCotangentInPlace(Function):
    """Backward multiplies the incoming gradient, which belongs to others."""

    violates = "purity"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.sinh(x.data))

    def backward(self, x, grad):
        grad *= np.cosh(x.data)
        x.grad += grad


class SortsTheInput(Function):
    """ndarray.sort works in place."""

    violates = "purity"
    witness = ([3.0, 1.0, 2.0],)

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        order = np.argsort(x.data)
        out = np.sort(x.data)
        self.order = order
        x.data.sort()
        return variable(out)

    def backward(self, x, grad):
        x.grad[self.order] += grad


class BackwardSquaresTheInput(Function):
    """Backward reuses the input's memory for what it needs."""

    violates = "purity"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(x.data**3)

    def backward(self, x, grad):
        np.square(x.data, out=x.data)
        x.grad += 3 * grad * x.data


class SharesGradWithTheInputs(Function):
    """Both inputs' gradients become the same array, and later additions reach both."""

    violates = "accumulation"
    witness = ([1.0, 2.0], [3.0, 4.0])

    def forward(self, x, y):
        if x.data.shape != y.data.shape:
            raise ValueError("expected equal shapes")
        return variable(x.data + y.data)

    def backward(self, x, y, grad):
        total = x.grad + grad
        if np.any(y.grad):
            y.grad = y.grad + grad
        else:
            y.grad = total
        x.grad = total


class StepCounter(Function):
    """The factor of the second call is that of the first plus one."""

    violates = "determinism"
    witness = ([1.0, 2.0],)
    calls = 0

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        type(self).calls += 1
        x.grad += grad * np.cos(x.data) * (1 + self.calls % 2)


class UnseededNoise(Function):
    """Backward draws its own dropout mask."""

    violates = "determinism"
    witness = ([1.0, 2.0, 3.0, 4.0],)

    def forward(self, x):
        return variable(2.0 * x.data)

    def backward(self, x, grad):
        x.grad += 2.0 * grad * (np.random.default_rng().random(np.shape(grad)) > 0.1)


class MaskOfTheLastForward(Function):
    """Backward uses the mask of whichever forward came last."""

    violates = "reentrancy"
    witness = ([1.0, -2.0],)

    def forward(self, x):
        self.mask = x.data > 0
        return variable(np.where(self.mask, x.data, 0.0))

    def backward(self, x, grad):
        x.grad += grad * self.mask


class FirstShapeForever(Function):
    """Computes the shape to sum over at the first call of the instance."""

    violates = "reentrancy"
    witness = ([1.0, 2.0],)

    def __init__(self):
        self.size = None

    def forward(self, x):
        if not x.data.size:
            raise ValueError("expected elements")
        return variable(x.data.mean())

    def backward(self, x, grad):
        self.size = self.size or x.data.size
        x.grad += grad / self.size


class ClassWideCache(Function):
    """Remembers weights by shape, for all instances, though they depend on values: no instance is right any more."""

    violates = "gradient"
    witness = ([1.0, 2.0],)
    cache: ClassVar = {}

    def forward(self, x):
        return variable(np.exp(-(x.data**2)))

    def backward(self, x, grad):
        key = x.data.shape
        if key not in self.cache:
            self.cache[key] = -2 * x.data * np.exp(-(x.data**2))
        x.grad += grad * self.cache[key]


class OneOutputBuffer(Function):
    """Writes every output into the same memory, so the second call changes the first's result."""

    violates = "reentrancy"
    witness = ([1.0, 2.0],)

    def __init__(self):
        self.buffers = {}

    def forward(self, x):
        buffer = self.buffers.setdefault(x.data.shape, np.empty(x.data.shape))
        np.cos(x.data, out=buffer)
        return variable(buffer)

    def backward(self, x, grad):
        x.grad -= grad * np.sin(x.data)


class CountsItsCalls(Function):
    """The gradient of the second backward is halved, as if an average ran along."""

    violates = "reentrancy"
    witness = ([1.0, 2.0],)

    def __init__(self):
        self.calls = 0

    def forward(self, x):
        return variable(x.data**2)

    def backward(self, x, grad):
        self.calls += 1
        x.grad += 2 * grad * x.data / self.calls


class ClipsTheGradient(Function):
    """Cuts each element of the result at 1: right for small gradients."""

    violates = "gradient"
    witness = ([3.0, 0.1],)

    def forward(self, x):
        return variable(x.data**2)

    def backward(self, x, grad):
        x.grad += np.clip(2 * grad * x.data, -1, 1)


class ClipsLargeCotangents(Function):
    """Cuts the incoming gradient at 10, which training code does and an op must not."""

    violates = "linearity"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad += np.clip(grad, -10, 10) * np.cos(x.data)


class AbsoluteCotangent(Function):
    """Right for cotangents of one sign."""

    violates = "gradient"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.exp(0.5 * x.data))

    def backward(self, x, grad):
        x.grad += 0.5 * np.abs(grad) * np.exp(0.5 * x.data)


class WeightDecay(Function):
    """Adds a little of the input to every gradient."""

    violates = "gradient"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad += grad * np.cos(x.data) + 1e-4 * x.data


class FlattensWithoutCopy(Function):
    """Writes through a view that is one only for contiguous arrays."""

    violates = "layout"
    witness = ([[1.0, 2.0], [3.0, 4.0]],)

    def forward(self, x):
        return variable(x.data.ravel(order="K") ** 2)

    def backward(self, x, grad):
        x.grad += (2 * grad * x.data.ravel()).reshape(x.data.shape)


class RawMemory(Function):
    """Reads the buffer of its input, whatever its strides are."""

    violates = "layout"
    witness = ([[1.0, 2.0], [3.0, 4.0]],)

    def forward(self, x):
        if not x.data.size:
            raise ValueError("expected elements")
        plain = x.data.ravel(order="A").reshape(x.data.shape)
        return variable(np.sin(plain))

    def backward(self, x, grad):
        x.grad += grad * np.cos(x.data)


class WritesToTheCotangentIfItMay(Function):
    """Makes room in the input's own memory, and fails when it is read-only."""

    violates = "layout"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        x.data.setflags(write=True)
        return variable(np.cos(x.data))

    def backward(self, x, grad):
        x.grad -= grad * np.sin(x.data)


class GradOfTheWrongRank(Function):
    """Leaves a gradient with one axis too many."""

    violates = "shape"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad = x.grad + (grad * np.cos(x.data))[None]


class SinglePrecisionGrad(Function):
    """The gradient of a double is stored in single precision."""

    violates = "shape"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad = (x.grad + grad * np.cos(x.data)).astype(np.float32)


class BroadcastLeftInTheGradient(Function):
    """A 0-d input's gradient comes back with the shape of the other."""

    violates = "shape"
    witness = (np.array(2.0), [1.0, 2.0])

    def forward(self, x, y):
        if x.data.ndim != 0:
            raise ValueError("expected a scalar first")
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        x.grad = x.grad + grad * y.data
        y.grad += grad * x.data
