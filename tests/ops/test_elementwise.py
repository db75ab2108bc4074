"""Elementwise ops keep single precision, and their slopes are exact to the ends of the range of floats."""

import mpmath as mp
import numpy as np
import pytest

from adverify import Function, check_function, ops, variable
from adverify.ops.elementwise import Pairwise, Unary
from adverify.ops.gamma_functions import digamma_rise

WIDENS = {ops.FloatPower, ops.Polygamma}  # as NumPy and SciPy do
ELEMENTWISE = [
    op for op in map(vars(ops).get, ops.__all__) if isinstance(op, type) and issubclass(op, Unary | Pairwise)
]


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.__name__)
@pytest.mark.parametrize("shape", [(), (3,)], ids=str)
def test_single_precision_gives_single_precision(op, shape):
    point = 1.25 if op is ops.Arccosh else 0.5
    inputs = [variable(np.full(shape, point, "f4")) for _ in range(1 + issubclass(op, Pairwise))]
    y = op().forward(*inputs)
    assert y.data.dtype == ("f8" if op in WIDENS else "f4")
    op().backward(*inputs, np.ones_like(y.data))
    assert all(x.grad.dtype == np.float32 for x in inputs)


SLOPES = {
    ops.Erf: lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x),
    ops.Erfcx: lambda x: 2 * x * mp.exp(x * x) * mp.erfc(x) - 2 / mp.sqrt(mp.pi),
    ops.LogNdtr: lambda x: mp.npdf(x) / mp.ncdf(x),
    ops.Expit: lambda x: 1 / (1 + mp.exp(-x)) / (1 + mp.exp(x)),
    ops.J1: lambda x: (mp.besselj(0, x) - mp.besselj(2, x)) / 2,
    ops.I1: lambda x: (mp.besseli(0, x) + mp.besseli(2, x)) / 2,
    ops.I0e: lambda x: mp.exp(-abs(x)) * (mp.besseli(1, x) - mp.sign(x) * mp.besseli(0, x)),
    ops.I1e: lambda x: mp.exp(-abs(x)) * (mp.besseli(0, x) / 2 + mp.besseli(2, x) / 2 - mp.sign(x) * mp.besseli(1, x)),
    ops.Tanh: lambda x: 1 / mp.cosh(x) ** 2,
    ops.Arctan: lambda x: 1 / (1 + x * x),
    ops.Sinc: lambda x: (mp.cos(mp.pi * x) - mp.sin(mp.pi * x) / (mp.pi * x)) / x,
    ops.Digamma: lambda x: mp.psi(1, x) if x > 0 else mp.pi**2 / mp.sin(mp.pi * x) ** 2 - mp.psi(1, 1 - x),
    ops.Cbrt: lambda x: 1 / (3 * mp.cbrt(abs(x)) ** 2),
}
POINTS = np.array([1e-100, 1e-20, 1e-8, 1e-3, 0.3, 0.9, 3.7, 14.9, 19.9, 20.1, 35.3, 99.3, 101.3, 250.3, 600.3])


@pytest.mark.parametrize("op", SLOPES, ids=lambda op: op.__name__)
def test_slopes_are_exact_near_zero_and_far_away(op):
    for x in (*POINTS, *-POINTS):
        with mp.workdps(700):
            true = SLOPES[op](mp.mpf(float(x)))
        if np.finfo(float).tiny < abs(true) < np.finfo(float).max:
            v = variable(x)
            op().backward(v, np.ones(()))
            np.testing.assert_allclose(v.grad, float(true), rtol=1e-12, err_msg=f"at {x}")


def test_digamma_has_its_slope_far_below_zero_at_once():
    x = variable([-1e9 - 0.5, -1e15 - 0.5])
    ops.Digamma().backward(x, np.ones(2))
    np.testing.assert_allclose(x.grad, np.pi**2, rtol=1e-8)


@pytest.mark.parametrize("x", [1e-200, 1e-8, 0.3, 9.0, 1e3, 1e8, 1e150])
@pytest.mark.parametrize("step", [1e-100, 1e-8, 0.3, 9.0, 1e3, 1e8, 1e150])
def test_digamma_rises_without_cancellation(x, step):
    with mp.workdps(700):
        true = float(mp.psi(0, mp.mpf(x) + mp.mpf(step)) - mp.psi(0, mp.mpf(x)))
    np.testing.assert_allclose(digamma_rise(np.float64(x), np.float64(step)), true, rtol=1e-14)


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1.0, 1e200, 1e308])
def test_the_plane_is_measured_at_every_magnitude(size):
    x, y = variable(0.6 * size), variable(0.8 * size)
    ops.Hypot().backward(x, y, np.asarray(1.0))
    np.testing.assert_allclose([x.grad, y.grad], [0.6, 0.8], rtol=1e-12)
    x, y = variable(0.6 * size), variable(0.8 * size)
    ops.Arctan2().backward(x, y, np.asarray(size))
    if size > 1e-300:  # else the slope is beyond floats
        np.testing.assert_allclose([x.grad, y.grad], [0.8, -0.6], rtol=1e-12)


class PowerOf(Function):
    """x ** n, for n that negative x have powers of."""

    arguments = {"n": (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0)}  # noqa: RUF012

    def __init__(self, n):
        self.n = n

    def forward(self, x):
        return ops.Power().forward(x, variable(self.n))

    def backward(self, x, grad):
        ops.Power().backward(x, variable(self.n), grad)


def test_powers_of_negative_bases_have_right_gradients(seed):
    assert check_function(PowerOf, seed=seed).ok


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ops.Clip(a_min="low"), "a_min; got 'low'"),
        (lambda: ops.Clip(a_max=np.nan), "a_max; got nan"),
        (lambda: ops.Clip(2, 1), "a_min <= a_max; got a_min=2, a_max=1"),
        (lambda: ops.Polygamma(-1), "integer n >= 0; got -1"),
        (lambda: ops.Polygamma(0.5), "integer n >= 0; got 0.5"),
    ],
)
def test_constructors_name_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_nothing_uses_has_no_say_at_an_infinite_slope():
    x = variable([0.0, 4.0])
    ops.Sqrt().backward(x, np.array([0.0, 1.0]))
    assert x.grad.tolist() == [0.0, 0.25]
