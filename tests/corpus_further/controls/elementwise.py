"""Right functions of one number: narrow domains, poles, kinks anywhere, steep and minute features, tails."""

import numpy as np
from scipy import special

from adverify import Function, variable


class _Elementwise(Function):
    def forward(self, x):
        return variable(self.value(x.data))

    def backward(self, x, grad):
        x.grad += grad * self.slope(x.data)


class RootBelowMinusTwo(_Elementwise):
    """Exists on a half-line that does not hold 0."""

    def value(self, x):
        return np.sqrt(-2 - x)

    def slope(self, x):
        return -0.5 / np.sqrt(-2 - x)


class BetweenOneAndTwo(_Elementwise):
    """A logit on an interval of length one."""

    def value(self, x):
        return np.log(x - 1) - np.log(2 - x)

    def slope(self, x):
        return 1 / (x - 1) + 1 / (2 - x)


class BetweenOddEnds(_Elementwise):
    """Exists between 2.7 and 3.9 only."""

    def value(self, x):
        return np.log(x - 2.7) + np.log(3.9 - x)

    def slope(self, x):
        return 1 / (x - 2.7) - 1 / (3.9 - x)


class AboveFifty(_Elementwise):
    """Exists far from where one looks first."""

    def value(self, x):
        return np.sqrt(x - 50)

    def slope(self, x):
        return 0.5 / np.sqrt(x - 50)


class NarrowAroundZero(_Elementwise):
    """Exists between -0.05 and 0.05 only."""

    def value(self, x):
        return np.arcsin(20 * x)

    def slope(self, x):
        return 20 / np.sqrt((1 - 20 * x) * (1 + 20 * x))


class LogOfNegative(_Elementwise):
    """Exists below 0."""

    def value(self, x):
        return np.log(-x)

    def slope(self, x):
        return 1 / x


class Arcsecant(_Elementwise):
    """Exists above 1 and below -1."""

    def value(self, x):
        return np.arccos(1 / x)

    def slope(self, x):
        return 1 / (np.abs(x) * np.sqrt((np.abs(x) - 1) * (np.abs(x) + 1)))


class InverseHyperbolicCotangent(_Elementwise):
    """Exists above 1 and below -1."""

    def value(self, x):
        return 0.5 * np.log((x + 1) / (x - 1))

    def slope(self, x):
        return 1 / ((1 - x) * (1 + x))


class PolesAtRootTwo(_Elementwise):
    """Poles at numbers that no double is equal to."""

    def value(self, x):
        return 1 / (x * x - 2)

    def slope(self, x):
        return -2 * x / (x * x - 2) ** 2


class BoseEinstein(_Elementwise):
    """A pole at 0 and an exponential tail."""

    def value(self, x):
        return 1 / np.expm1(x)

    def slope(self, x):
        return -0.25 / np.sinh(x / 2) ** 2


class AbsoluteSmoothed(_Elementwise):
    """A bend within a millionth of 0."""

    def value(self, x):
        return np.hypot(x, 1e-6)

    def slope(self, x):
        return x / np.hypot(x, 1e-6)


class HuberOfSmallDelta(_Elementwise):
    """The parabola ends at 1e-5."""

    def value(self, x):
        return np.where(np.abs(x) <= 1e-5, 0.5 * x * x, 1e-5 * (np.abs(x) - 0.5e-5))

    def slope(self, x):
        return np.clip(x, -1e-5, 1e-5)


class SmallDeadZone(_Elementwise):
    """Flat between -1e-4 and 1e-4."""

    def value(self, x):
        return np.sign(x) * np.maximum(np.abs(x) - 1e-4, 0)

    def slope(self, x):
        return (np.abs(x) > 1e-4) * 1.0


class SteepSigmoid(_Elementwise):
    """Rises within 1e-4 of 0, and is flat everywhere else."""

    def value(self, x):
        return special.expit(1e4 * x)

    def slope(self, x):
        e = np.exp(-np.abs(1e4 * x))
        return 1e4 * e / (1 + e) ** 2


class SharpGaussian(_Elementwise):
    """A bump that is a millionth wide."""

    def value(self, x):
        return np.exp(-((1e6 * x) ** 2))

    def slope(self, x):
        return -2e12 * np.clip(x, -1, 1) * np.exp(-((1e6 * x) ** 2))


class SharpLorentzian(_Elementwise):
    """1 / (1 + (1e5 x)^2), whose tails are as steep as 1 / x^3."""

    def value(self, x):
        return 1 / (1 + (1e5 * x) ** 2)

    def slope(self, x):
        u = np.hypot(1, 1e5 * x)
        return -2e5 * (1e5 * x / u) / u / u / u


class NarrowRicker(_Elementwise):
    """A wavelet around 1 that is 3e-5 wide."""

    def value(self, x):
        r = np.clip(3e4 * (x - 1), -50, 50)
        return (1 - r * r) * np.exp(-r * r / 2)

    def slope(self, x):
        r = np.clip(3e4 * (x - 1), -50, 50)
        return 3e4 * (r**3 - 3 * r) * np.exp(-r * r / 2)


class FineStaircase(_Elementwise):
    """Rounds to three decimals: the derivative is 0 between the jumps, though the average slope is 1."""

    def value(self, x):
        return np.round(x, 3)

    def slope(self, x):
        return np.zeros_like(x)


class StaircaseOnARamp(_Elementwise):
    """Jumps at the sevenths."""

    def value(self, x):
        return np.floor(7 * x) / 7 + x

    def slope(self, x):
        return np.ones_like(x)


class FineTriangleWave(_Elementwise):
    """Period 0.02; at the kinks the slope to the right."""

    def value(self, x):
        return np.abs(50 * x - np.round(50 * x))

    def slope(self, x):
        return 50 * np.where(50 * x - np.floor(50 * x) < 0.5, 1.0, -1.0)


class TakagiSum(_Elementwise):
    """Six triangle waves of halving period; at the kinks the slope to the right."""

    def value(self, x):
        return sum(np.abs(2**k * x - np.round(2**k * x)) / 2**k for k in range(6))

    def slope(self, x):
        return sum(np.where(2**k * x - np.floor(2**k * x) < 0.5, 1.0, -1.0) for k in range(6))


class FlatAtZero(_Elementwise):
    """exp(-1 / x^2): all derivatives vanish at 0."""

    def value(self, x):
        s = np.where(x == 0, 1, x)
        return np.where(x == 0, 0, np.exp(-1 / s / s))

    def slope(self, x):
        e = self.value(x)
        s = np.where(e == 0, 1, x)
        return 2 * e / s / s / s


class SineOfReciprocal(_Elementwise):
    """x^2 sin(1 / x): differentiable everywhere, with a derivative that jumps about near 0."""

    def value(self, x):
        s = np.where(x == 0, 1, x)
        return np.where(x == 0, 0, s * s * np.sin(1 / s))

    def slope(self, x):
        s = np.where(x == 0, 1, x)
        return np.where(x == 0, 0, 2 * s * np.sin(1 / s) - np.cos(1 / s))


class DifferenceOfRoots(_Elementwise):
    """sqrt(x + 1) - sqrt(x) as it stands: forward loses digits at large x, backward does not."""

    def value(self, x):
        return np.sqrt(x + 1) - np.sqrt(x)

    def slope(self, x):
        r, s = np.sqrt(x + 1), np.sqrt(x)
        return -0.5 / (r * s * (r + s))


class NaiveLog1p(_Elementwise):
    """log(1 + x): forward loses digits near 0, backward does not."""

    def value(self, x):
        return np.log(1 + x)

    def slope(self, x):
        return 1 / (1 + x)


class MinuteTanh(_Elementwise):
    """Values around 1e-300."""

    def value(self, x):
        return 1e-300 * np.tanh(x)

    def slope(self, x):
        e = np.exp(-2 * np.abs(x))
        return 4e-300 * e / (1 + e) ** 2


class HugeTanh(_Elementwise):
    """Values around 1e300."""

    def value(self, x):
        return 1e300 * np.tanh(x)

    def slope(self, x):
        e = np.exp(-2 * np.abs(x))
        return 4e300 * e / (1 + e) ** 2


class LooseNewtonRoot(_Elementwise):
    """Iterates until a step is below a millionth, so that forward is rough; the gradient is exact."""

    def value(self, x):
        y = np.maximum(x, 1.0)
        for _ in range(600):
            new = 0.5 * (y + x / y)
            settled = np.abs(new - y) <= 1e-6 * new
            y = np.where(settled, y, new)
            if settled.all():
                break
        return np.where(x > 0, new, np.nan)

    def slope(self, x):
        return 0.5 / np.sqrt(x)


class LogisticGrowth(_Elementwise):
    """y' = y (1 - y) by fifty Runge-Kutta steps, with the derivative of the scheme, not of the equation."""

    def value(self, x):
        return self._run(x)[0]

    def slope(self, x):
        return self._run(x)[1]

    def _run(self, x):
        if (np.abs(x) > 2).any() or (x < -0.3).any():
            raise ValueError("expected values between -0.3 and 2")
        y, d, h = x, np.ones(x.shape), 0.02
        for _ in range(50):
            k1, e1 = self._rate(y, d)
            k2, e2 = self._rate(y + h / 2 * k1, d + h / 2 * e1)
            k3, e3 = self._rate(y + h / 2 * k2, d + h / 2 * e2)
            k4, e4 = self._rate(y + h * k3, d + h * e3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            d = d + h / 6 * (e1 + 2 * e2 + 2 * e3 + e4)
        return y, d

    def _rate(self, y, d):
        return y * (1 - y), (1 - 2 * y) * d


class LinearTable(_Elementwise):
    """np.interp between odd nodes; at a node the slope to the right."""

    nodes = np.array([-7.3, -4.1, -2.2, -0.7, 0.35, 1.9, 3.3, 5.7, 9.1])
    heights = np.array([1.0, -2, 0.5, 3, 2.9, -1, 0, 4, -3])

    def value(self, x):
        return np.interp(x, self.nodes, self.heights)

    def slope(self, x):
        i = np.searchsorted(self.nodes, x, side="right") - 1
        slopes = np.diff(self.heights) / np.diff(self.nodes)
        return np.where((i >= 0) & (i < len(slopes)), slopes[np.clip(i, 0, len(slopes) - 1)], 0.0)


class LambertW(_Elementwise):
    """The principal branch, from -1 / e on, where the slope is infinite."""

    def value(self, x):
        return np.where(x >= -np.exp(-1), special.lambertw(x).real, np.nan)

    def slope(self, x):
        w = special.lambertw(x).real
        return 1 / (np.exp(w) * (1 + w))


class Erfcx(_Elementwise):
    """Of |x|; beyond 8 the slope by its asymptotic series, where the closed form cancels."""

    def value(self, x):
        return special.erfcx(np.abs(x))

    def slope(self, x):
        a, s = np.minimum(np.abs(x), 8.0), np.maximum(np.abs(x), 8.0)
        terms = (1, -1.5, 3.75, -13.125, 59.0625, -324.84375, 2111.484375, -15836.1328125, 134607.12890625)
        tail = sum(c / (s * s) ** k for k, c in enumerate(terms)) / -np.sqrt(np.pi) / s / s
        return np.sign(x) * np.where(np.abs(x) > 8, tail, 2 * a * special.erfcx(a) - 2 / np.sqrt(np.pi))


class Dawson(_Elementwise):
    """Beyond 10 the slope by its asymptotic series, where the closed form cancels."""

    def value(self, x):
        return special.dawsn(x)

    def slope(self, x):
        inner, s = np.clip(x, -10, 10), np.maximum(np.abs(x), 10.0)
        terms = (0.5, 0.25, 0.375, 0.9375, 3.28125, 14.765625, 81.2109375, 527.87109375)
        tail = -sum(c * (2 * k + 1) / (s * s) ** k for k, c in enumerate(terms)) / s / s
        return np.where(np.abs(x) > 10, tail, 1 - 2 * inner * special.dawsn(inner))


class EllipticIntegral(_Elementwise):
    """K of the parameter, below 1; near 0 the slope by its power series."""

    def value(self, x):
        return np.where(x < 1, special.ellipk(x), np.nan)

    def slope(self, x):
        near = np.abs(x) < 0.05
        s, t = np.where(near, 0.5, x), np.where(near, x, 0)
        terms = [n * (special.poch(0.5, n) / special.factorial(n)) ** 2 * t ** (n - 1) for n in range(1, 30)]
        closed = (special.ellipe(s) - (1 - s) * special.ellipk(s)) / (2 * s * (1 - s))
        return np.where(near, np.pi / 2 * sum(terms), closed)


class DirichletSum(_Elementwise):
    """The first terms of zeta: a sum of exponentials of many rates."""

    n = np.arange(2.0, 40.0)

    def value(self, x):
        return 1 + (self.n ** -x[..., None]).sum(axis=-1)

    def slope(self, x):
        return -(np.log(self.n) * self.n ** -x[..., None]).sum(axis=-1)


class IncompleteGamma(_Elementwise):
    """P(2.5, x), for x not below 0."""

    def value(self, x):
        return np.where(x >= 0, special.gammainc(2.5, np.maximum(x, 0)), np.nan)

    def slope(self, x):
        return np.where(x > 0, np.exp(1.5 * np.log(np.where(x > 0, x, 1)) - x), 0) / special.gamma(2.5)


class IncompleteBeta(_Elementwise):
    """I_x(3.5, 2.5), between 0 and 1."""

    def value(self, x):
        return np.where((x >= 0) & (x <= 1), special.betainc(3.5, 2.5, np.clip(x, 0, 1)), np.nan)

    def slope(self, x):
        return x**2.5 * (1 - x) ** 1.5 / special.beta(3.5, 2.5)


class NormalQuantile(_Elementwise):
    """Between 0 and 1, with infinite slopes at both ends."""

    def value(self, x):
        return special.ndtri(x)

    def slope(self, x):
        return np.sqrt(2 * np.pi) * np.exp(special.ndtri(x) ** 2 / 2)


class LogNormalDistribution(_Elementwise):
    """log Phi(x): the slope by erfcx, which does not cancel at either end."""

    def value(self, x):
        return special.log_ndtr(x)

    def slope(self, x):
        return np.sqrt(2 / np.pi) / special.erfcx(-x / np.sqrt(2))


class BesselK0(_Elementwise):
    """A logarithmic pole at 0 and an exponential tail."""

    def value(self, x):
        return special.k0(x)

    def slope(self, x):
        return -special.k1(x)


class ScaledBesselI0(_Elementwise):
    """exp(-|x|) I0(x) has a kink at 0, where the slope given is 0."""

    def value(self, x):
        return special.i0e(x)

    def slope(self, x):
        return special.i1e(x) - np.sign(x) * special.i0e(x)


class SoftplusWithThreshold(_Elementwise):
    """Beyond 20 the identity, as PyTorch does: forward jumps by 2e-9."""

    def value(self, x):
        return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))

    def slope(self, x):
        return np.where(x > 20, 1.0, special.expit(x))


class HardSwish(_Elementwise):
    """Kinks at -3 and 3."""

    def value(self, x):
        return x * np.clip(x + 3, 0, 6) / 6

    def slope(self, x):
        return np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1))


class KinksAtOddPlaces(_Elementwise):
    """At 2.5 and at 20; a subgradient of its own at each."""

    def value(self, x):
        return np.abs(x - 2.5) + np.maximum(x, 20)

    def slope(self, x):
        return np.sign(x - 2.5) + 0.3 * (x == 20) + (x > 20)


class FlatThenSquare(_Elementwise):
    """max(|x| - 4, 0)^2 bends at 4 without a kink."""

    def value(self, x):
        return np.maximum(np.abs(x) - 4, 0) ** 2

    def slope(self, x):
        return 2 * np.sign(x) * np.maximum(np.abs(x) - 4, 0)


class VersineAndSquare(_Elementwise):
    """1 - cos(x) + x**2: forward rounds the versine away below 1e-8, and shows 2 x where the slope is 3 x."""

    def value(self, x):
        return (1 - np.cos(x)) + x**2

    def slope(self, x):
        return np.sin(x) + 2 * x


class OneAddedAndTaken(_Elementwise):
    """(1 + x) - 1 + x / 1000: forward rounds all but the last term away where x is tiny."""

    def value(self, x):
        return ((1 + x) - 1) + 1e-3 * x

    def slope(self, x):
        return np.full_like(x, 1.001)


class SigmoidOfClipped(_Elementwise):
    """The argument of the exponential is kept in range; beyond, the formula's slope is as good as none."""

    def value(self, x):
        return 1 / (1 + np.exp(-np.clip(x, -30, 30)))

    def slope(self, x):
        s = self.value(x)
        return s * (1 - s)
