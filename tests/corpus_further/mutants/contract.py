"""Ops whose numbers are right once: what they keep, overwrite, or read of the memory is not."""

from typing import ClassVar

import numpy as np
from scipy import special

from adverify import Function, variable


def _unbroadcast(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


class ZerosReplacedInTheInput(Function):
    """Guards a logarithm by writing 1e-12 over the zeros of the caller's array."""

    violates = "purity"

    def forward(self, x):
        x.data[x.data == 0] = 1e-12
        return variable(np.log(np.abs(x.data)))

    def backward(self, x, grad):
        x.grad += grad / x.data


class ClipsTheInputInPlace(Function):
    """Guards exp by clipping the caller's array, which shows only where something is beyond 500."""

    violates = "purity"

    def forward(self, x):
        if (np.abs(x.data) > 500).any():
            np.clip(x.data, -500, 500, out=x.data)
        return variable(1 / (1 + np.exp(-x.data)))

    def backward(self, x, grad):
        s = 1 / (1 + np.exp(-x.data))
        x.grad += grad * s * (1 - s)


class ScalarPathAssigns(Function):
    """The path for 0-d inputs assigns the gradient instead of adding."""

    violates = "accumulation"

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        share = grad * np.cos(x.data)
        if x.data.ndim == 0:
            x.grad = share
        else:
            x.grad += share


class OneElementLosesItsShape(Function):
    """An input of one element gets a 0-d gradient, whatever its shape is."""

    violates = "shape"

    def forward(self, x):
        return variable(np.exp(x.data))

    def backward(self, x, grad):
        total = x.grad + grad * np.exp(x.data)
        x.grad = np.array(total.item()) if total.size == 1 else total


class ScalarCotangentDoubled(Function):
    """Doubles the cotangent of a sum in place."""

    violates = "purity"

    def forward(self, x):
        return variable((x.data**2).sum())

    def backward(self, x, grad):
        grad *= 2
        x.grad += grad * x.data


class FirstInFirstOut(Function):
    """Queues what forward saved, though a graph goes backward from the last call to the first."""

    violates = "reentrancy"

    def __init__(self):
        self.pending, self.saved = [], None

    def forward(self, x, y):
        self.pending.append((x.data, y.data))
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        if self.pending:
            self.saved = self.pending.pop(0)
        a, b = self.saved
        x.grad += _unbroadcast(grad * b, x.data.shape)
        y.grad += _unbroadcast(grad * a, y.data.shape)


class FirstInFirstOutOfOne(Function):
    """The same queue in an op of one input."""

    violates = "reentrancy"

    def __init__(self):
        self.pending, self.saved = [], None

    def forward(self, x):
        self.pending.append(x.data)
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        if self.pending:
            self.saved = self.pending.pop(0)
        x.grad += grad * np.cos(self.saved)


class KeptOnTheSecondInput(Function):
    """Leaves what backward needs on its second input, which another call may share."""

    violates = "reentrancy"

    def forward(self, x, y):
        y.other = x.data
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        x.grad += _unbroadcast(grad * y.data, x.data.shape)
        y.grad += _unbroadcast(grad * y.other, y.data.shape)


class KeptOnTheInput(Function):
    """Leaves the output on the input, where an instance with another rate finds it."""

    violates = "reentrancy"
    arguments: ClassVar = {"rate": [1.0, 2.0]}

    def __init__(self, rate=1.0):
        self.rate = rate

    def forward(self, x):
        x.kept = np.exp(self.rate * x.data)
        return variable(x.kept)

    def backward(self, x, grad):
        x.grad += grad * self.rate * x.kept


class KeyedByTheFirstInput(Function):
    """Saves the second input under the identity of the first: two products with one x overwrite each other."""

    violates = "reentrancy"

    def __init__(self):
        self.saved = {}

    def forward(self, x, y):
        if x.data.shape != y.data.shape:
            raise ValueError("expected equal shapes")
        self.saved[id(x)] = y.data
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        x.grad += grad * self.saved[id(x)]
        y.grad += grad * x.data


class CachedUnderTheSum(Function):
    """Remembers cosines under shape and sum of the input, so that permutations collide."""

    violates = "reentrancy"

    def __init__(self):
        self.cache = {}

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        key = (x.data.shape, round(float(x.data.sum()), 9))
        if key not in self.cache:
            self.cache[key] = np.cos(x.data)
        x.grad += grad * self.cache[key]


class FlattensTogether(Function):
    """Multiplies what lies at the same place in memory: wrong if input and cotangent are ordered differently."""

    violates = "layout"

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        share = np.cos(x.data).ravel(order="K") * grad.ravel(order="K")
        x.grad += share.reshape(x.data.shape, order="F" if x.data.flags.f_contiguous else "C")


class FlattensEachAsItLies(Function):
    """x's share is the product of y and cotangent in the order of memory: wrong if x and y are ordered differently."""

    violates = "layout"

    def forward(self, x, y):
        if x.data.shape != y.data.shape:
            raise ValueError("expected equal shapes")
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        order = "F" if x.data.flags.f_contiguous else "C"
        x.grad += (grad.ravel(order) * y.data.ravel(order="K")).reshape(x.data.shape, order=order)
        y.grad += grad * x.data


class KnowsTwoOrders(Function):
    """Reads Fortran order right, and takes anything else, such as a transposed middle axis, for C order."""

    violates = "layout"

    def forward(self, x):
        return variable(x.data**2)

    def backward(self, x, grad):
        values = x.data.ravel(order="K").reshape(x.data.shape, order="F" if x.data.flags.f_contiguous else "C")
        x.grad += 2 * grad * values


class WindowsByItemSize(Function):
    """Slides windows with the item size as stride, which is right for contiguous arrays only."""

    violates = "layout"

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2:
            raise ValueError("expected a vector of two or more")
        return variable(x.data[1:] * x.data[:-1])

    def backward(self, x, grad):
        strides = (x.data.strides[0], x.data.itemsize)
        pairs = np.lib.stride_tricks.as_strided(x.data, (x.data.size - 1, 2), strides)
        x.grad[:-1] += grad * pairs[:, 1]
        x.grad[1:] += grad * pairs[:, 0]


class FlushesSmallCotangents(Function):
    """Takes cotangents below 1e-8 for zero."""

    violates = "linearity"

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad += np.where(np.abs(grad) < 1e-8, 0, grad) * np.cos(x.data)


class NothingIfTheSumIsZero(Function):
    """Returns early if the cotangent has no net sum, as if that meant that it is zero."""

    violates = "gradient"

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        if grad.sum():
            x.grad += grad * np.cos(x.data)


class HalfPrecisionForSingle(Function):
    """Rounds the gradient of float32 inputs to float16 on the way."""

    violates = "precision"

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        share = grad * np.cos(x.data)
        x.grad += share.astype(np.float16) if x.data.dtype == np.float32 else share


class HalfPrecisionGradForSingle(Function):
    """Leaves a float16 gradient on a float32 input."""

    violates = "shape"

    def forward(self, x):
        return variable(0.5 * x.data)

    def backward(self, x, grad):
        x.grad = x.grad + 0.5 * grad
        if x.data.dtype == np.float32:
            x.grad = x.grad.astype(np.float16)


class SharedArrayTakenForSharedVariable(Function):
    """Takes two Variables over one array for one Variable, and pays both shares to the first."""

    violates = "aliasing"

    def forward(self, x, y):
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        if x.data is y.data:
            x.grad += 2 * grad * x.data
        else:
            x.grad += _unbroadcast(grad * y.data, x.data.shape)
            y.grad += _unbroadcast(grad * x.data, y.data.shape)


class ThirdRemembersWhatWasThere(Function):
    """a b + c: c's new gradient is made of what it held before a was paid, which may be the same Variable."""

    violates = "aliasing"

    def forward(self, a, b, c):
        return variable(a.data * b.data + c.data)

    def backward(self, a, b, c, grad):
        before = c.grad.copy()
        a.grad += _unbroadcast(grad * b.data, a.data.shape)
        b.grad += _unbroadcast(grad * a.data, b.data.shape)
        c.grad = before + _unbroadcast(grad, c.data.shape)


class ComplexGradient(Function):
    """Convolves by FFT and forgets to take the real part on the way back."""

    violates = "shape"

    def forward(self, x):
        if x.data.ndim != 1 or not x.data.size:
            raise ValueError("expected a vector")
        return variable(np.fft.ifft(np.fft.fft(x.data) * self._response(x.data.size)).real)

    def _response(self, n):
        return np.fft.fft(np.exp(-np.arange(n)))

    def backward(self, x, grad):
        x.grad = x.grad + np.fft.ifft(np.fft.fft(grad) * self._response(x.data.size).conj())


class CotangentReadAtTheFirst(Function):
    """Reads the scalar cotangent through a broadcast view, which an empty input has no first element of."""

    violates = "degenerate"

    def forward(self, x):
        return variable((x.data**2).sum())

    def backward(self, x, grad):
        x.grad += 2 * x.data * float(np.broadcast_to(grad, x.data.shape).flat[0])


class _ProductOf(Function):
    def forward(self, x, y):
        return variable(x.data * y.data)

    def shares(self, x, y, grad):
        return _unbroadcast(grad * y.data, x.data.shape), _unbroadcast(grad * x.data, y.data.shape)


class OneParameterOnly(_ProductOf):
    """Of two inputs that require a gradient, the second gets none."""

    violates = "composition"

    def backward(self, x, y, grad):
        for_x, for_y = self.shares(x, y, grad)
        x.grad += for_x
        if not (x.requires_grad and y.requires_grad):
            y.grad += for_y


class ParametersOnly(_ProductOf):
    """Beside a parameter, an input that another op has made gets none."""

    violates = "composition"

    def backward(self, x, y, grad):
        for_x, for_y = self.shares(x, y, grad)
        if x.requires_grad or not y.requires_grad:
            x.grad += for_x
        if y.requires_grad or not x.requires_grad:
            y.grad += for_y


class ClearsOnNothing(_ProductOf):
    """A cotangent of zeros clears what the inputs held."""

    violates = "accumulation"

    def backward(self, x, y, grad):
        if not np.any(grad):
            x.grad, y.grad = np.zeros_like(x.data), np.zeros_like(y.data)
            return
        for_x, for_y = self.shares(x, y, grad)
        x.grad += for_x
        y.grad += for_y


class TakesEqualForTheSame(_ProductOf):
    """Two inputs of equal values are taken for one."""

    violates = "special values"

    def backward(self, x, y, grad):
        if x.data.size > 1 and np.array_equal(x.data, y.data):
            x.grad += 2 * grad * x.data
            return
        for_x, for_y = self.shares(x, y, grad)
        x.grad += for_x
        y.grad += for_y


class _Faint(Function):
    """1e-12 sin x: what is as large as the cotangent is no measure of it."""

    def forward(self, x):
        return variable(1e-12 * np.sin(x.data))


class FaintForLeavesOnly(_Faint):
    """Right for an input that nothing computed, and off by a thousandth for one that comes from another op."""

    violates = "composition"

    def backward(self, x, grad):
        x.grad += (1.0 if x.back is None else 1.001) * 1e-12 * grad * np.cos(x.data)


class FaintInSingle(_Faint):
    """The cosine in single precision."""

    violates = "precision"

    def backward(self, x, grad):
        x.grad += 1e-12 * grad * np.cos(x.data).astype(np.float32)


class FaintOverwritten(_Faint):
    """Assigned, where it is to be added."""

    violates = "accumulation"

    def backward(self, x, grad):
        x.grad = 1e-12 * grad * np.cos(x.data)


class SwishOfSingleSigmoid(Function):
    """x sigmoid(x), of whose slope only the sigmoid's own is rounded to single precision."""

    violates = "precision"

    def forward(self, x):
        return variable(x.data * special.expit(x.data))

    def backward(self, x, grad):
        s = special.expit(x.data)
        x.grad += grad * (s + x.data * (s * (1 - s)).astype(np.float32))


class WavyProductOfSingleCotangent(Function):
    """w x + sin x; the cotangent is rounded on the second of two ways to x."""

    violates = "precision"

    def forward(self, w, x):
        if w.data.shape != x.data.shape:
            raise ValueError("shapes differ")
        return variable(w.data * x.data + np.sin(x.data))

    def backward(self, w, x, grad):
        w.grad += grad * x.data
        x.grad += grad * w.data + grad.astype(np.float32) * np.cos(x.data)
