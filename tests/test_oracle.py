"""The numerical derivative: that of SciPy, with error bars that hold."""

import numpy as np
import pytest
from scipy.differentiate import derivative

from adverify import oracle

FUNCTIONS = {
    "exp": (np.exp, np.exp, 0.3),
    "cos": (np.cos, lambda x: -np.sin(x), 7.0),
    "steep": (lambda x: np.exp(20 * x), lambda x: 20 * np.exp(20 * x), 0.4),
    "fast": (lambda x: np.sin(100 * x), lambda x: 100 * np.cos(100 * x), 0.7),
    "cancelling": (lambda x: 1e8 + np.sin(x), np.cos, 1.1),
    "huge": (lambda x: 1e12 * np.arctan(x), lambda x: 1e12 / (1 + x * x), 2.0),
    "tiny": (lambda x: 1e-12 * np.arctan(x), lambda x: 1e-12 / (1 + x * x), 2.0),
    "cube at 0": (lambda x: x**3, lambda x: 3 * x * x, 0.0),
    "single": (lambda x: np.sin(x.astype(np.float32)).astype(float), np.cos, 1.8927708502749674),
}


def samples(f, x, rungs, length=0.3):
    return oracle.sample(f, np.array([x]), np.array([1.0]), np.array([[length]]), rungs)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("side", [0, 1, -1])
def test_every_rung_is_what_scipy_gives(name, side):
    f, _, x = FUNCTIONS[name]
    taken = samples(f, x, 12)
    ours = oracle.one_sided(taken, side) if side else oracle.central(taken)
    for rung, estimate in enumerate(ours[0]):
        theirs = derivative(
            lambda t: f(x + 0.3 * t) - f(np.array([x])), np.zeros(1), initial_step=2.0**-rung, maxiter=1,
            step_direction=side, order=4 if side else 8, step_factor=4.0 if side else 2.0,
        )  # fmt: skip
        scale = oracle.EPS * 2.0**rung * float(taken.size.max()) * oracle.amplification(side)
        np.testing.assert_allclose(estimate, theirs.df[0], rtol=1e-13, atol=4 * scale)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_true_derivative_is_within_the_error_bar_of_the_screen(name):
    f, slope, x = FUNCTIONS[name]
    estimate = oracle.screen(samples(f, x, oracle.SCREEN_RUNGS))
    assert abs(estimate.value[0] - 0.3 * slope(np.array(x))) <= estimate.error[0]


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"single", "cancelling", "cube at 0"}))
def test_the_screen_resolves_smooth_functions_far_beyond_a_millionth(name):
    f, _, x = FUNCTIONS[name]
    estimate = oracle.screen(samples(f, x, oracle.SCREEN_RUNGS, 0.3 if name not in ("fast", "steep") else 0.01))
    assert estimate.error[0] <= 1e-8 * abs(estimate.value[0])


def test_where_forward_is_not_defined_there_is_no_estimate():
    with np.errstate(invalid="ignore"):
        taken = samples(np.log, 0.1, 12)
        slopes = oracle.central(taken)[0]
    assert np.isnan(slopes[:2]).all()
    assert np.isfinite(slopes[2:]).all()
    assert np.isfinite(oracle.one_sided(taken, 1)).all()


@pytest.mark.parametrize("side", [0, 1, -1])
def test_a_stencil_is_exact_for_polynomials_of_its_order(side):
    taken = samples(lambda x: (1 + x) ** (4 if side else 8), 0.0, 12, 1.0)
    slopes = (oracle.one_sided(taken, side) if side else oracle.central(taken))[0]
    np.testing.assert_allclose(slopes[:4], 4 if side else 8, rtol=1e-10)


def test_a_kink_has_a_plateau_on_either_side_and_none_in_the_middle_between():
    taken = samples(np.abs, 0.0, oracle.FULL_RUNGS, 1.0)
    right, left = (oracle.plateaus(oracle.one_sided(taken, s)[0], taken.rounding[0, :51], 0.1, s) for s in (1, -1))
    assert right[-1].value == 1
    assert left[-1].value == -1


def test_roughness_is_the_noise_and_not_the_curve():
    rng = np.random.default_rng(0)
    t = 1 + 0.1 * oracle.GRID
    smooth = oracle.roughness(np.sin(t)).max()
    noisy = oracle.roughness(np.sin(t) + 1e-6 * rng.uniform(-1, 1, t.shape)).max()
    assert smooth < 1e-12
    assert 1e-7 < noisy < 1e-5
