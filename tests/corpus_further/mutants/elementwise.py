"""Functions of one number whose derivative is wrong on part of the line, or by a constant that was copied badly."""

from typing import ClassVar

import numpy as np
from scipy import special

from adverify import Function, variable


class _Elementwise(Function):
    violates = "gradient"

    def forward(self, x):
        return variable(self.value(x.data))

    def backward(self, x, grad):
        x.grad += grad * self.slope(x.data)


class ArcsecantSign(_Elementwise):
    """1 / (x sqrt(x^2 - 1)) lacks an absolute value: wrong below -1."""

    def value(self, x):
        return np.arccos(1 / x)

    def slope(self, x):
        return 1 / (x * np.sqrt(x * x - 1))


class RootOfSquareMinusOne(_Elementwise):
    """The slope has the sign of x, and backward takes |x|: wrong below -1."""

    def value(self, x):
        return np.sqrt(x * x - 1)

    def slope(self, x):
        return np.abs(x) / np.sqrt(x * x - 1)


class LogOfProduct(_Elementwise):
    """log(x (x + 1)) exists above 0 and below -1, where the absolute values are wrong."""

    def value(self, x):
        return np.log(x * (x + 1))

    def slope(self, x):
        return 1 / np.abs(x) + 1 / np.abs(x + 1)


class LogAbsoluteUnsigned(_Elementwise):
    """The derivative of log|x| is 1 / x, not 1 / |x|."""

    def value(self, x):
        return np.log(np.abs(x))

    def slope(self, x):
        return 1 / np.abs(x)


class SeriesCutAtItsConstant(_Elementwise):
    """log(x) / (x - 1): within 1e-3 of 1 the slope is called -1/2, which is off by a thousandth there."""

    def value(self, x):
        d = x - 1
        near = np.abs(d) < 1e-4
        return np.where(near, 1 - d / 2 + d * d / 3, np.log(x) / np.where(near, 1, d))

    def slope(self, x):
        near = np.abs(x - 1) < 1e-3
        d = np.where(near, 1.0, x - 1)
        return np.where(near, -0.5, (d / x - np.log(x)) / d**2)


class DistanceByDivision(_Elementwise):
    """(x - 2.5) / |x - 2.5| is NaN at the kink, which is not at 0."""

    violates = "special values"

    def value(self, x):
        return np.abs(x - 2.5)

    def slope(self, x):
        return (x - 2.5) / np.abs(x - 2.5)


class LogSigmoidSaturatedAtEight(_Elementwise):
    """Beyond 8 the slope is called 0, though 3e-4 is left there."""

    def value(self, x):
        return -np.logaddexp(0, -x)

    def slope(self, x):
        return np.where(x > 8, 0, special.expit(-x))


class MishInnerSlope(_Elementwise):
    """x tanh(softplus(x)): beyond 4 softplus is taken for the identity."""

    def value(self, x):
        return x * np.tanh(np.logaddexp(0, x))

    def slope(self, x):
        t = np.tanh(np.logaddexp(0, x))
        return t + x * (1 - t * t) * np.where(x > 4, 1, special.expit(x))


class GeluConstantCutShort(_Elementwise):
    """0.044715 is 0.04471 in backward."""

    def value(self, x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def slope(self, x):
        c = np.sqrt(2 / np.pi)
        t = np.tanh(c * (x + 0.04471 * x**3))
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.04471 * x * x)


class PiCutShort(_Elementwise):
    """pi is 3.14159 in backward: off by a millionth."""

    def value(self, x):
        return np.arctan(np.pi * x)

    def slope(self, x):
        return 3.14159 / (1 + (np.pi * x) ** 2)


class SincSeriesSign(_Elementwise):
    """sin(x) / x: the patch around 0 has slope x / 3 instead of -x / 3."""

    def value(self, x):
        return np.sinc(x / np.pi)

    def slope(self, x):
        s = np.where(x == 0, 1, x)
        return np.where(np.abs(x) < 1e-2, x / 3, (np.cos(s) - np.sin(s) / s) / s)


class ExprelCancels(_Elementwise):
    """(exp(x) (x - 1) + 1) / x^2 loses all digits near 0, where the slope is 1/2."""

    violates = "extremes"

    def value(self, x):
        return special.exprel(x)

    def slope(self, x):
        s = np.where(x == 0, 1, x)
        return np.where(x == 0, 0.5, (np.exp(s) * (s - 1) + 1) / s**2)


class InverseRootOverflows(_Elementwise):
    """x / hypot(1, x): the quotient rule divides infinity by infinity at large x."""

    violates = "extremes"

    def value(self, x):
        return x / np.hypot(1, x)

    def slope(self, x):
        h = np.hypot(1, x)
        return (h - x * x / h) / (h * h)


class LogCoshByHyperbolics(_Elementwise):
    """sinh / cosh is NaN beyond 710, where forward is still fine."""

    violates = "extremes"

    def value(self, x):
        return np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2)

    def slope(self, x):
        return np.sinh(x) / np.cosh(x)


class ErfcxTailCancels(_Elementwise):
    """2 x erfcx(x) - 2 / sqrt(pi) is a difference of nearly equal numbers at large x."""

    violates = "extremes"

    def value(self, x):
        return special.erfcx(x)

    def slope(self, x):
        return 2 * x * special.erfcx(x) - 2 / np.sqrt(np.pi)


class Log1pTailApproximated(_Elementwise):
    """log(1 + |x|): beyond 1000 the 1 is left out of the slope."""

    def value(self, x):
        return np.log1p(np.abs(x))

    def slope(self, x):
        safe = np.where(x == 0, 1, x)
        return np.where(np.abs(x) > 1000, 1 / safe, np.sign(x) / (1 + np.abs(x)))


class NegativeBranchInSingle(_Elementwise):
    """ELU whose exponential is computed in single precision, below 0 only."""

    violates = "precision"

    def value(self, x):
        return np.where(x < 0, np.expm1(np.minimum(x, 0)), x)

    def slope(self, x):
        return np.where(x < 0, np.exp(np.minimum(x, 0).astype(np.float32)), 1.0)


class StraightThroughRounding(_Elementwise):
    """The usual estimator of quantised networks: a slope of 1 for a staircase, whose derivative is 0."""

    def value(self, x):
        return np.round(x * 8) / 8

    def slope(self, x):
        return np.ones_like(x)


class LambertAtZero(_Elementwise):
    """W / (x (1 + W)) is NaN at 0, where the slope is 1."""

    violates = "special values"

    def value(self, x):
        return np.where(x >= -np.exp(-1), special.lambertw(x).real, np.nan)

    def slope(self, x):
        w = special.lambertw(x).real
        return w / (x * (1 + w))


class BesselGuardedByEpsilon(_Elementwise):
    """J1' = J0 - J1 / x, guarded by adding 1e-5 to every denominator."""

    def value(self, x):
        return special.j1(x)

    def slope(self, x):
        return special.j0(x) - special.j1(x) / (x + 1e-5)


class HardSigmoidThresholds(_Elementwise):
    """0.2 x + 0.5 leaves [0, 1] at 2.5, and backward thinks of the hard sigmoid that does so at 3."""

    def value(self, x):
        return np.clip(0.2 * x + 0.5, 0, 1)

    def slope(self, x):
        return 0.2 * (np.abs(x) < 3)


class SoftplusScaledTwice(_Elementwise):
    """log(1 + exp(beta x)) / beta: the slope is multiplied by beta once too often, which 1 hides."""

    arguments: ClassVar = {"beta": [1.0, 0.3, 7.0]}

    def __init__(self, beta=1.0):
        self.beta = beta

    def value(self, x):
        return np.logaddexp(0, self.beta * x) / self.beta

    def slope(self, x):
        return self.beta * special.expit(self.beta * x)


class LogBarrierClamp(_Elementwise):
    """-log x clamped at 100 in forward; backward, which guards against small x on its own, is 0 below 1e-3."""

    def value(self, x):
        if (x <= 0).any() or (x >= 1).any():
            raise ValueError("expected probabilities")
        return -np.maximum(np.log(x), -100)

    def slope(self, x):
        return np.where(x > 1e-3, -1 / x, 0)


class FocalLossModulator(_Elementwise):
    """(1 - p)^2 times cross entropy: the modulating factor is held constant."""

    def value(self, x):
        return special.expit(-x) ** 2 * np.logaddexp(0, -x)

    def slope(self, x):
        return -(special.expit(-x) ** 3)


class SquareFlatNearZero(_Elementwise):
    """x**2, whose slope is taken for 0 below 1e-6, where it is small as well."""

    violates = "extremes"

    def value(self, x):
        return x**2

    def slope(self, x):
        return np.where(np.abs(x) < 1e-6, 0, 2 * x)
