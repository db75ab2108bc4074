"""Elementwise ops whose derivative is wrong somewhere on the line, or everywhere by a little."""

import numpy as np
from scipy import special

from adverify import Function, variable


class _Elementwise(Function):
    def forward(self, x):
        return variable(self.value(x.data))

    def backward(self, x, grad):
        x.grad += grad * self.slope(x.data)


class RickerTailFlipped(_Elementwise):
    """Wrong sign above 1 only."""

    violates = "gradient"
    witness = ([1.5, 0.5],)

    def value(self, x):
        return x * np.exp(-np.abs(x))

    def slope(self, x):
        return np.exp(-np.abs(x)) * np.where(x > 1, 1 + x, 1 - np.abs(x))


class HardSwishWithoutUpperBranch(_Elementwise):
    """The identity begins at 3, and backward goes on with the parabola."""

    violates = "gradient"
    witness = ([4.0, 1.0],)

    def value(self, x):
        return x * np.clip(x + 3, 0, 6) / 6

    def slope(self, x):
        return np.where(x > -3, (2 * x + 3) / 6, 0.0)


class Relu6WithoutCeiling(_Elementwise):
    """The output stops at 6, the gradient does not."""

    violates = "gradient"
    witness = ([7.0, 1.0],)

    def value(self, x):
        return np.clip(x, 0, 6)

    def slope(self, x):
        return (x > 0).astype(x.dtype)


class HuberQuadraticTooFar(_Elementwise):
    """Uses the quadratic branch up to 2 where forward leaves it at 1."""

    violates = "gradient"
    witness = ([1.5, 0.5],)

    def value(self, x):
        return np.where(np.abs(x) <= 1, 0.5 * x * x, np.abs(x) - 0.5)

    def slope(self, x):
        return np.where(np.abs(x) <= 2, x, np.sign(x))


class TailExpansionOfMills(_Elementwise):
    """Below -4 an asymptotic series is cut one term early."""

    violates = "gradient"
    witness = ([-5.0, 1.0],)

    def value(self, x):
        return special.log_ndtr(x)

    def slope(self, x):
        exact = np.exp(-0.5 * x * x - special.log_ndtr(x)) / np.sqrt(2 * np.pi)
        return np.where(x < -4, -x, exact)


class SaturatedTanh(_Elementwise):
    """Treats anything beyond 6 as saturated, though 2e-5 is left there."""

    violates = "gradient"
    witness = ([6.2, 0.3],)

    def value(self, x):
        return np.tanh(x)

    def slope(self, x):
        return np.where(np.abs(x) > 6, 0.0, 1 / np.cosh(x) ** 2)


class SoftsignSquareForgotten(_Elementwise):
    """1 / (1 + |x|) in place of its square."""

    violates = "gradient"
    witness = ([1.0, -2.0],)

    def value(self, x):
        return x / (1 + np.abs(x))

    def slope(self, x):
        return 1 / (1 + np.abs(x))


class SincWithoutPi(_Elementwise):
    """The derivative of sin(x) / x for a forward in units of pi."""

    violates = "gradient"
    witness = ([0.7, 1.3],)

    def value(self, x):
        return np.sinc(x)

    def slope(self, x):
        safe = np.where(x == 0, 1.0, x)
        return np.where(x == 0, 0.0, (np.cos(np.pi * safe) - np.sinc(safe)) / safe / np.pi)


class Log2Natural(_Elementwise):
    """Forgets to divide by ln 2."""

    violates = "gradient"
    witness = ([1.0, 3.0],)

    def value(self, x):
        return np.log2(x)

    def slope(self, x):
        return 1 / x


class ArcsinhWithMinus(_Elementwise):
    """sqrt(|x^2 - 1|), taken from arccosh."""

    violates = "gradient"
    witness = ([2.0, 0.5],)

    def value(self, x):
        return np.arcsinh(x)

    def slope(self, x):
        return 1 / np.sqrt(np.abs(x * x - 1))


class CbrtOfTheSquare(_Elementwise):
    """1 / (3 x^(2/3)) with the sign of x, which it does not have."""

    violates = "gradient"
    witness = ([-2.0, 1.0],)

    def value(self, x):
        return np.cbrt(x)

    def slope(self, x):
        return 1 / (3 * np.cbrt(x) * np.abs(np.cbrt(x)))


class DigammaForGamma(_Elementwise):
    """gamma' = gamma * digamma; the factor gamma is missing."""

    violates = "gradient"
    witness = ([1.5, 3.0],)

    def value(self, x):
        return special.gamma(np.abs(x) + 1)

    def slope(self, x):
        return np.sign(x) * special.digamma(np.abs(x) + 1)


class PowerOfTwoRoundedConstant(_Elementwise):
    """ln 2 written to five digits."""

    violates = "gradient"
    witness = ([0.5, -0.5],)

    def value(self, x):
        return x * 2.0**x

    def slope(self, x):
        return 2.0**x * (1 + 0.69315 * x)


class OneElementInAMillion(Function):
    """The first element's gradient is off by two in a million."""

    violates = "gradient"
    witness = ([1.0, 2.0],)

    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        slope = np.cos(x.data)
        if slope.size > 1:
            slope.flat[0] *= 1 + 2e-6
        x.grad += grad * slope


class WidePeriod(_Elementwise):
    """A triangle wave of period 4, differentiated with the sign of the wrong quarter beyond |x| > 2."""

    violates = "gradient"
    witness = ([2.5, 0.5],)

    def value(self, x):
        return np.abs((x % 4) - 2)

    def slope(self, x):
        return np.where(np.abs(x) > 2, -1.0, 1.0) * np.sign((x % 4) - 2)


class SoftplusThresholdReturnsInput(_Elementwise):
    """Above its threshold forward returns x, and backward returns x too."""

    violates = "gradient"
    witness = ([25.0, 1.0],)

    def value(self, x):
        return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))

    def slope(self, x):
        return np.where(x > 20, x, special.expit(x))


class NegativeBranchOfSelu(_Elementwise):
    """The scale is applied to the positive branch only."""

    violates = "gradient"
    witness = ([-1.0, 1.0],)

    def value(self, x):
        return 1.0507 * np.where(x > 0, x, 1.67326 * np.expm1(np.minimum(x, 0)))

    def slope(self, x):
        return np.where(x > 0, 1.0507, 1.67326 * np.exp(np.minimum(x, 0)))


class HypotSwapped(Function):
    """Each input gets the other's partial."""

    violates = "gradient"
    witness = ([3.0], [4.0])

    def forward(self, x, y):
        return variable(np.hypot(x.data, y.data))

    def backward(self, x, y, grad):
        r = np.hypot(x.data, y.data)
        safe = np.where(r == 0, 1.0, r)
        for v, other in ((x, y), (y, x)):
            share = grad * other.data / safe
            v.grad += _summed(share, v.data.shape)


class SecondOfThreeIgnored(Function):
    """a b + b c + c a, without what c adds to b."""

    violates = "gradient"
    witness = ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])

    def forward(self, a, b, c):
        return variable(a.data * b.data + b.data * c.data + c.data * a.data)

    def backward(self, a, b, c, grad):
        a.grad += _summed(grad * (b.data + c.data), a.data.shape)
        b.grad += _summed(grad * a.data, b.data.shape)
        c.grad += _summed(grad * (b.data + a.data), c.data.shape)


class SquareThatForgetsItMayBeTheSame(Function):
    """x y for two inputs, each partial halved when the values are equal."""

    violates = "special values"
    witness = ([2.0, 1.0], [2.0, 3.0])

    def forward(self, x, y):
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        half = np.where(np.broadcast_to(x.data == y.data, grad.shape), 0.5, 1.0)
        x.grad += _summed(grad * y.data * half, x.data.shape)
        y.grad += _summed(grad * x.data * half, y.data.shape)


class Arctan2WrongQuadrantSign(Function):
    """The sign of the second partial is that of the first."""

    violates = "gradient"
    witness = ([1.0], [2.0])

    def forward(self, y, x):
        return variable(np.arctan2(y.data, x.data))

    def backward(self, y, x, grad):
        r = x.data**2 + y.data**2
        y.grad += _summed(grad * x.data / r, y.data.shape)
        x.grad += _summed(grad * y.data / r, x.data.shape)


class FmodTruncatesTowardsMinusInfinity(Function):
    """The divisor's partial uses floor where forward truncates: wrong where the signs differ."""

    violates = "gradient"
    witness = ([-3.5], [2.0])

    def forward(self, x, y):
        return variable(np.fmod(x.data, y.data))

    def backward(self, x, y, grad):
        x.grad += _summed(grad * np.ones(np.shape(x.data / y.data)), x.data.shape)
        y.grad += _summed(-grad * np.floor(x.data / y.data), y.data.shape)


def _summed(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)
