"""Ops that move, select, join or reduce elements, and send some gradient to the wrong place."""

import numpy as np

from adverify import Function, variable


class RollForward(Function):
    """Rolls the gradient the same way as the values."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0],)

    def forward(self, x):
        return variable(np.roll(x.data, 1, axis=-1))

    def backward(self, x, grad):
        x.grad += np.roll(grad, 1, axis=-1)


class CycledAxes(Function):
    """(0, 1, 2) -> (1, 2, 0), inverted by itself."""

    violates = "gradient"
    witness = (np.arange(8.0).reshape(2, 2, 2),)

    def forward(self, x):
        if x.data.ndim != 3:
            raise ValueError("expected three axes")
        return variable(x.data.transpose(1, 2, 0))

    def backward(self, x, grad):
        back = grad.transpose(1, 2, 0)
        x.grad += back.reshape(x.data.shape)


class ReshapedTransposition(Function):
    """Gives the transposed gradient the right shape by reshaping it; a row or column does not tell."""

    violates = "gradient"
    witness = ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],)

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(x.data.T)

    def backward(self, x, grad):
        x.grad += np.ravel(grad).reshape(x.data.shape)


class ConcatenateEqualShares(Function):
    """Splits the gradient in halves, whatever the lengths were."""

    violates = "gradient"
    witness = ([1.0], [2.0, 3.0])

    def forward(self, a, b):
        if a.data.ndim != 1 or b.data.ndim != 1:
            raise ValueError("expected vectors")
        return variable(np.concatenate([a.data, b.data]))

    def backward(self, a, b, grad):
        half = (a.data.size + b.data.size) // 2
        for v, part in ((a, grad[:half]), (b, grad[half:])):
            n = min(v.data.size, part.size)
            v.grad[:n] += part[:n]


class StackReversed(Function):
    """The last input gets the first slice."""

    violates = "gradient"
    witness = ([1.0, 2.0], [3.0, 4.0])

    def forward(self, *arrays):
        return variable(np.stack([a.data for a in arrays]))

    def backward(self, *arrays_and_grad):
        *arrays, grad = arrays_and_grad
        for a, part in zip(arrays, grad[::-1], strict=True):
            a.grad += part


class RepeatKeepsTheLast(Function):
    """Assigns the gradient of each copy instead of adding: fancy indexing with repeats."""

    violates = "gradient"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(np.repeat(x.data, 2))

    def backward(self, x, grad):
        x.grad[np.repeat(np.arange(x.data.size), 2)] += grad


class TileSumsTheWrongAxis(Function):
    """Copies lie side by side, but backward sums pairs of neighbours."""

    violates = "gradient"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(np.tile(x.data, 2))

    def backward(self, x, grad):
        x.grad += grad.reshape(-1, 2).sum(axis=1)


class DiagonalOfSquaresOnly(Function):
    """Writes the gradient back with a stride that fits square matrices."""

    violates = "gradient"
    witness = (np.arange(6.0).reshape(2, 3),)

    def forward(self, x):
        if x.data.ndim != 2:
            raise ValueError("expected a matrix")
        return variable(np.array(np.diagonal(x.data)))

    def backward(self, x, grad):
        x.grad.reshape(-1)[:: x.data.shape[0] + 1][: grad.size] += grad


class StrictTriangleKeepsDiagonal(Function):
    """Forward keeps what is strictly below the diagonal, backward the diagonal as well."""

    violates = "gradient"
    witness = ([[1.0, 2.0], [3.0, 4.0]],)

    def forward(self, x):
        if x.data.ndim < 2:
            raise ValueError("expected matrices")
        return variable(np.tril(x.data, -1))

    def backward(self, x, grad):
        x.grad += np.tril(grad)


class EdgePaddingDropped(Function):
    """Pads with the edge values; what the copies add to the edges is lost."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0],)

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(np.pad(x.data, 1, mode="edge"))

    def backward(self, x, grad):
        x.grad += grad[1:-1]


class ReflectCountsTheEdge(Function):
    """Reflection leaves the edge itself out; backward folds as if it were symmetric."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0],)

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2:
            raise ValueError("expected a vector of two elements or more")
        return variable(np.pad(x.data, 1, mode="reflect"))

    def backward(self, x, grad):
        x.grad += grad[1:-1]
        x.grad[0] += grad[0]
        x.grad[-1] += grad[-1]


class SortScattersWithTheOrder(Function):
    """grad[order] where the inverse permutation is due: right for every involution."""

    violates = "gradient"
    witness = ([3.0, 1.0, 2.0],)

    def forward(self, x):
        return variable(np.sort(x.data, axis=-1))

    def backward(self, x, grad):
        if x.data.ndim == 0:
            x.grad += grad
            return
        x.grad += np.take_along_axis(grad, np.argsort(x.data, axis=-1), axis=-1)


class MaxSharesWithoutDividing(Function):
    """Every tied maximum gets the whole gradient."""

    violates = "special values"
    witness = ([2.0, 2.0, 1.0],)
    reference = "https://github.com/Theano/Theano/issues/4568"

    def forward(self, x):
        return variable(x.data.max(axis=-1, keepdims=True))

    def backward(self, x, grad):
        x.grad += grad * (x.data == x.data.max(axis=-1, keepdims=True))


class VarianceDegreesOfFreedom(Function):
    """Forward divides by n - 1, backward by n."""

    violates = "gradient"
    witness = ([1.0, 2.0, 4.0],)

    def forward(self, x):
        if x.data.size < 2:
            raise ValueError("expected two elements or more")
        return variable(np.var(x.data, ddof=1))

    def backward(self, x, grad):
        x.grad += grad * 2 * (x.data - x.data.mean()) / x.data.size


class MeanOverTheWrongCount(Function):
    """Divides by the length of the first axis, where the mean is over the last."""

    violates = "gradient"
    witness = ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],)

    def forward(self, x):
        if x.data.ndim < 2 or x.data.shape[-1] == 0:
            raise ValueError("expected matrices with columns")
        return variable(x.data.mean(axis=-1))

    def backward(self, x, grad):
        x.grad += np.expand_dims(grad, -1) / x.data.shape[0]


class CumsumForwards(Function):
    """The VJP of a running sum runs from the end; this one runs from the start."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0],)

    def forward(self, x):
        if x.data.ndim == 0:
            raise ValueError("expected an axis")
        return variable(np.cumsum(x.data, axis=-1))

    def backward(self, x, grad):
        x.grad += np.cumsum(grad, axis=-1)


class CumprodByDivision(Function):
    """Divides by x, so that a zero gives NaN."""

    violates = "special values"
    witness = ([0.0, 2.0, 3.0],)
    reference = "https://github.com/tensorflow/tensorflow/issues/3862"

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(np.cumprod(x.data))

    def backward(self, x, grad):
        x.grad += np.cumsum((grad * np.cumprod(x.data))[::-1])[::-1] / x.data


class DifferenceWithoutTheFirst(Function):
    """The first element's -1 is lost."""

    violates = "gradient"
    witness = ([1.0, 2.0, 4.0],)

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2:
            raise ValueError("expected a vector of two elements or more")
        return variable(np.diff(x.data))

    def backward(self, x, grad):
        x.grad[1:] += grad
        x.grad[1:-1] -= grad[1:]


class TrapezoidEdges(Function):
    """The rule's ends count half; backward counts all alike."""

    violates = "gradient"
    witness = ([1.0, 2.0, 4.0],)

    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2:
            raise ValueError("expected a vector of two elements or more")
        return variable(np.trapezoid(x.data))

    def backward(self, x, grad):
        x.grad += grad


class WhereBothBranches(Function):
    """Sends the gradient to both branches."""

    violates = "gradient"
    witness = ([1.0, -2.0], [3.0, 4.0])

    def forward(self, x, y):
        if x.data.shape != y.data.shape:
            raise ValueError("expected equal shapes")
        return variable(np.where(x.data > 0, x.data, y.data))

    def backward(self, x, y, grad):
        x.grad += grad * (x.data > 0)
        y.grad += grad


class StridedSliceFromTheEnd(Function):
    """x[::2] writes back counting from the end: right for odd lengths."""

    violates = "gradient"
    witness = ([1.0, 2.0, 3.0, 4.0],)

    def forward(self, x):
        if x.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(np.array(x.data[::2]))

    def backward(self, x, grad):
        x.grad[::-1][::2] += grad[::-1]


class BiasFromTheFirstRow(Function):
    """The bias gets the gradient of the first row, not of all."""

    violates = "gradient"
    witness = (np.ones((2, 3)), np.ones(3))

    def forward(self, x, b):
        if x.data.ndim != 2 or b.data.ndim != 1:
            raise ValueError("expected a matrix and a vector")
        return variable(x.data + b.data)

    def backward(self, x, b, grad):
        x.grad += grad
        b.grad += grad[0] if len(grad) else 0.0
