"""Nearly singular matrices: what the last bits of an input decide accuses nobody, and the rest is still judged."""

import contextlib
from collections import Counter

import numpy as np
import pytest

from adverify import Function, Undecided, VerificationError, check_case, check_function, tensor, variable
from adverify.blame import judge_expression
from adverify.expression import Expression
from adverify.ops import QR, Det, Eigvalsh, Inv, Svdvals
from adverify.verdict import Status

DRAWS = 40


def nearly_singular(rng):
    """A matrix of rank one, or two, and beside it one that is smaller by 3 to 16 digits."""
    n = int(rng.integers(2, 6))
    a = rng.choice([0.1, 1.0, 2.94, 13.0]) * np.outer(rng.normal(size=n), rng.choice([-1.0, 1.0, 2.0], n))
    if rng.integers(3) == 0:
        a += np.outer(rng.normal(size=n), rng.normal(size=n))
    return a + 10 ** rng.uniform(-16, -3) * rng.normal(size=(n, n))


def symmetric(rng):
    a = nearly_singular(rng)
    return a + a.T


def sparse(rng, shape):
    """Cotangents of which some or most are zero, so that what is small does not hide beside what is large."""
    return rng.normal(size=shape) * (rng.random(shape) < rng.choice([0.3, 1.0]))


def statuses(op, draw, seed):
    """Judge an op at several matrices: how many verdicts there are of each kind."""
    rng, seen = np.random.default_rng(seed), Counter()
    for _ in range(DRAWS):
        try:
            outputs = op(tensor(draw(rng)))
        except np.linalg.LinAlgError:
            continue  # singular in every bit
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        cotangents = tuple(sparse(rng, o.data.shape) for o in outputs)
        seen[judge_expression(Expression.trace(*outputs, cotangents=cotangents)).verdict.status] += 1
    return seen


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("op", "draw"),
    [(Det(), nearly_singular), (Svdvals(), nearly_singular), (QR("r"), nearly_singular), (QR(), nearly_singular),
     (Inv(), nearly_singular), (Eigvalsh(), symmetric)],
)  # fmt: skip
def test_what_the_last_bits_decide_accuses_nobody(op, draw, seed):
    seen = statuses(op, draw, seed)
    assert not seen[Status.VIOLATED]
    assert seen[Status.HOLDS] >= DRAWS // 4


def test_a_singular_value_near_zero_beside_a_large_one_accuses_nobody():
    rng = np.random.default_rng(1)
    for _ in range(DRAWS):
        n = int(rng.integers(3, 6))
        u, v = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2))
        a = u * np.append(rng.uniform(1, 8), np.sort(10 ** rng.uniform(-13, -11, n - 1))[::-1]) @ v.T
        cotangent = np.zeros(n)
        cotangent[[0, -1]] = rng.normal(size=2) * [1.0, rng.choice([0.1, 1.0])]
        verdict = judge_expression(Expression.trace(Svdvals()(tensor(a)), cotangents=(cotangent,))).verdict
        assert verdict.status is not Status.VIOLATED, verdict.reason


class Determinant(Function):
    """Its gradient is off by a tenth."""

    def forward(self, a):
        return variable(np.linalg.det(a.data))

    def backward(self, a, grad):
        a.grad += 1.1 * grad * np.linalg.det(a.data) * np.linalg.inv(a.data).T


class AngleBetween(Function):
    """The angle between two vectors, with what is perpendicular found by a projection, which loses digits."""

    def forward(self, x, y):
        return variable(np.arctan2(np.linalg.norm(np.cross(x.data, y.data)), x.data @ y.data))

    def backward(self, x, y, grad):
        for one, other in ((x, y), (y, x)):
            square = one.data @ one.data
            perpendicular = other.data - one.data * (one.data @ other.data) / square
            length = np.linalg.norm(perpendicular)
            one.grad -= grad * (perpendicular / length if length else 0 * perpendicular) / np.sqrt(square)


@pytest.mark.parametrize("seed", [1, 16, 18, 21])
def test_what_backward_takes_from_the_last_bits_accuses_nobody(seed):
    rng, seen = np.random.default_rng(seed), Counter()
    for _ in range(DRAWS):
        x = rng.normal(size=3)
        y = rng.choice([-1.0, 0.3, 1.0, 2.0]) * x + 10 ** rng.uniform(-16, -3) * rng.normal(size=3)
        angle = AngleBetween()(tensor(x), tensor(y))
        seen[judge_expression(Expression.trace(angle, cotangents=(np.array(1.0),))).verdict.status] += 1
    assert not seen[Status.VIOLATED]
    assert seen[Status.HOLDS] >= DRAWS // 4


class PhaseOfFirstHarmonic(Function):
    """Of which nothing is left but rounding where every other element is the same."""

    off = 1.0

    def harmonic(self, x):
        if x.ndim < 1 or x.shape[-1] < 3:
            raise ValueError("expected three elements or more")
        w = np.exp(-2j * np.pi * np.arange(x.shape[-1]) / x.shape[-1])
        return (x * w).sum(axis=-1), w

    def forward(self, x):
        return variable(np.angle(self.harmonic(x.data)[0]))

    def backward(self, x, grad):
        z, w = self.harmonic(x.data)
        share = np.divide(grad, z, out=np.zeros_like(z), where=z != 0)
        x.grad += (share[..., None] * w).imag * np.where(x.data == 0, self.off, 1.0)


class PhaseOff(PhaseOfFirstHarmonic):
    off = 1.01


def test_an_output_whose_move_is_lost_to_rounding_accuses_nobody():
    x = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    with contextlib.suppress(Undecided):
        assert check_case(PhaseOfFirstHarmonic, [x], property="special values").ok
    with contextlib.suppress(Undecided):
        assert check_case(PhaseOfFirstHarmonic, [x[1:2]], property="special values").ok
    with pytest.raises(VerificationError, match=r"x\.grad.* and should be"):
        check_case(PhaseOff, [x], property="special values")


class RidgeByQR(Function):
    """Least squares beside a constant, which leaves nothing of tiny inputs in the factors of forward."""

    def factors(self, a):
        return np.linalg.qr(np.vstack([a, np.sqrt(0.1) * np.eye(a.shape[1])]))

    def forward(self, a, b):
        if a.data.ndim != 2 or b.data.shape != a.data.shape[:1]:
            raise ValueError("expected a matrix and a vector")
        q, r = self.factors(a.data)
        return variable(np.linalg.solve(r, q[: len(b.data)].T @ b.data))

    def backward(self, a, b, grad):
        q, r = self.factors(a.data)
        x = np.linalg.solve(r, q[: len(b.data)].T @ b.data)
        share = np.linalg.solve(r, np.linalg.solve(r.T, grad))
        b.grad += a.data @ share
        a.grad += np.outer(b.data - a.data @ x, share) - np.outer(a.data @ share, x)


@pytest.mark.parametrize("seed", range(12))
def test_what_forward_loses_at_a_tiny_scale_accuses_nobody(seed):
    rng = np.random.default_rng(seed)
    a, b = 1e-30 * rng.normal(size=(2, 2)), 1e-30 * rng.normal(size=2)
    with contextlib.suppress(Undecided):
        assert check_case(RidgeByQR, [a, b], property="extremes", seed=seed).ok


class HilbertSolve(Function):
    """Solves with a constant matrix of which no input tells how near to singular it is."""

    off = 1.0

    def matrix(self, n):
        i = np.arange(n)
        return self.off / (i[:, None] + i + 1.0)

    def forward(self, b):
        if b.data.ndim != 1:
            raise ValueError("expected a vector")
        return variable(np.linalg.solve(HilbertSolve().matrix(b.data.size), b.data))

    def backward(self, b, grad):
        b.grad += np.linalg.solve(self.matrix(b.data.size).T, grad)


class HilbertSolveOff(HilbertSolve):
    off = 1.0001


class MagnifiedProduct(Function):
    def forward(self, x):
        return variable(1e11 * np.array([[1.0, 2.0], [3.0, 5.0]]) @ x.data)

    def backward(self, x, grad):
        x.grad += 1.001e11 * np.array([[1.0, 3.0], [2.0, 5.0]]) @ grad


@pytest.mark.parametrize("n", [7, 9, 11, 13, 17])
def test_a_constant_that_is_nearly_singular_accuses_nobody(n):
    for seed in range(3):
        b = np.random.default_rng(seed).normal(size=n)
        with contextlib.suppress(Undecided):
            assert check_case(HilbertSolve, [b], seed=seed).ok


@pytest.mark.parametrize(("op", "n"), [(HilbertSolveOff, 5), (HilbertSolveOff, 7), (MagnifiedProduct, 2)])
def test_what_is_magnified_is_judged_to_the_digits_that_are_left(op, n):
    with pytest.raises(VerificationError, match="wrong gradient"):
        check_case(op, [np.random.default_rng(0).normal(size=n)])


class LargestSingularValue(Function):
    """Its gradient leaves out a sign where the matrix is nearly singular."""

    def forward(self, a):
        return variable(np.linalg.svd(a.data, compute_uv=False)[0])

    def backward(self, a, grad):
        u, s, v = np.linalg.svd(a.data)
        slope = np.outer(u[:, 0], v[0])
        a.grad += grad * (np.abs(slope) if s[-1] < 1e-3 * s[0] else slope)


@pytest.mark.parametrize("op", [Determinant(), LargestSingularValue()])
def test_what_they_do_not_decide_is_judged(op):
    assert statuses(op, nearly_singular, 0)[Status.VIOLATED] >= DRAWS // 4


def interpolation(factor=1.0, transpose=True):
    """The coefficients of a polynomial through values at 0, 1, 2, ...: a matrix that nothing outside shows."""

    class Interpolation(Function):
        def forward(self, y):
            if y.data.ndim != 1:
                raise ValueError("a vector is expected")
            return variable(np.linalg.solve(np.vander(np.arange(float(y.data.size))), y.data))

        def backward(self, y, grad):
            matrix = np.vander(np.arange(float(y.data.size)))
            y.grad += factor * np.linalg.solve(matrix.T if transpose else matrix, grad)

    return Interpolation


@pytest.mark.parametrize("size", [6, 11, 14, 17])
def test_digits_that_backward_loses_by_itself_accuse_nobody(size):
    rng = np.random.default_rng(size)
    for seed in range(6):
        with contextlib.suppress(Undecided):
            check_case(interpolation(), [rng.normal(size=size)], seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_an_op_whose_backward_loses_its_digits_at_some_lengths_is_verified_at_the_others(seed):
    report = check_function(interpolation(), seed=seed)
    assert report.cases > 2 * report.undecided


@pytest.mark.parametrize("wrong", [{"factor": 1 + 1e-6}, {"transpose": False}])
def test_beside_digits_that_are_lost_a_wrong_backward_is_found(wrong):
    with pytest.raises(VerificationError):
        check_function(interpolation(**wrong))
