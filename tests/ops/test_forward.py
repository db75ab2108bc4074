"""forward gives what NumPy, SciPy or the published definition gives."""

import numpy as np
import pytest
from scipy import linalg, signal, special

from adverify import ops, variable
from adverify.discovery import functions_in

RNG = np.random.default_rng(5)


def some(*shape):
    return RNG.normal(size=shape)


def spd(n, *batch):
    a = some(*batch, n, n)
    return a @ np.swapaxes(a, -1, -2) + n * np.eye(n)


LINE = np.concatenate([np.linspace(-8, 8, 161), [-800, -1e-8, -1e-200, 1e-200, 1e-8, 800, 1e5]])
POSITIVE = np.concatenate([np.geomspace(1e-300, 1e300, 121), np.linspace(0.1, 5, 50)])
UNIT = np.concatenate([np.linspace(-1, 1, 101), [1 - 1e-12, -1 + 1e-12, 1e-200]])

UNARY = [
    (ops.Absolute, np.abs, LINE), (ops.Negative, np.negative, LINE), (ops.Square, np.square, LINE),
    (ops.Sqrt, np.sqrt, np.append(POSITIVE, 0)), (ops.Cbrt, np.cbrt, LINE),
    (ops.Reciprocal, np.reciprocal, LINE[LINE != 0]), (ops.Floor, np.floor, LINE),
    (ops.Exp, np.exp, LINE[LINE < 700]), (ops.Expm1, np.expm1, LINE[LINE < 700]), (ops.Log, np.log, POSITIVE),
    (ops.Log1p, np.log1p, LINE[LINE > -1]), (ops.Sin, np.sin, LINE), (ops.Cos, np.cos, LINE), (ops.Tan, np.tan, LINE),
    (ops.Arcsin, np.arcsin, UNIT), (ops.Arccos, np.arccos, UNIT), (ops.Arctan, np.arctan, LINE),
    (ops.Sinh, np.sinh, LINE[np.abs(LINE) < 700]), (ops.Cosh, np.cosh, LINE[np.abs(LINE) < 700]),
    (ops.Tanh, np.tanh, LINE), (ops.Arcsinh, np.arcsinh, LINE), (ops.Arccosh, np.arccosh, 1 + np.abs(LINE)),
    (ops.Arctanh, np.arctanh, UNIT[np.abs(UNIT) < 1]), (ops.Erf, special.erf, LINE), (ops.Expit, special.expit, LINE),
    (ops.Gammaln, special.gammaln, POSITIVE), (ops.Entr, special.entr, np.append(POSITIVE, 0)),
    (ops.Relu, lambda x: x * (x > 0), LINE), (ops.LeakyRelu, lambda x: np.where(x > 0, x, 0.01 * x), LINE),
    (ops.Elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), LINE),
    (ops.Softplus, lambda x: -special.log_expit(-x), LINE), (ops.Silu, lambda x: x * special.expit(x), LINE),
    (ops.Gelu, lambda x: 0.5 * x * special.erfc(-x / np.sqrt(2)), LINE), (ops.Clip, lambda x: np.clip(x, -1, 1), LINE),
]  # fmt: skip

BINARY = [
    (ops.Add, np.add), (ops.Subtract, np.subtract), (ops.Multiply, np.multiply), (ops.Divide, np.divide),
    (ops.Arctan2, np.arctan2), (ops.Hypot, np.hypot), (ops.Maximum, np.maximum), (ops.Minimum, np.minimum),
    (ops.Logaddexp, np.logaddexp), (ops.Matmul, np.matmul), (ops.Where, lambda x, y: np.where(True, x, y)),
]  # fmt: skip

X, TIES, IMAGES, KERNELS = some(3, 4), np.array([[2.0, 1.0, 2.0], [0.0, 0.0, -1.0]]), some(2, 3, 6, 5), some(4, 3, 3, 2)


def correlated(x, w, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    full = [[sum(signal.correlate2d(c, k, "valid") for c, k in zip(image, kernel, strict=True)) for kernel in w]
            for image in x]  # fmt: skip
    return np.array(full)[:, :, ::stride, ::stride]


def standardised(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


OTHERS = [
    (ops.Power(), np.power, np.abs(X), some(4)),
    (ops.Xlogy(), special.xlogy, np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 3.0])),
    (ops.Clip(a_min=None, a_max=0.5), lambda x: np.minimum(x, 0.5), X),
    (ops.Clip(a_min=None, a_max=None), lambda x: x, X),
    (ops.Where([True, False, True, False]), lambda x, y: np.where([True, False, True, False], x, y), X, some(4)),
    (ops.LeakyRelu(0.5), lambda x: np.where(x > 0, x, 0.5 * x), X),
    (ops.Elu(2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0))), X),
    *(
        (op(axis=axis, keepdims=keepdims), lambda x, f=f, a=axis, k=keepdims: f(x, axis=a, keepdims=k), x)
        for op, f in [(ops.Sum, np.sum), (ops.Mean, np.mean), (ops.Prod, np.prod), (ops.Max, np.max), (ops.Min, np.min),
                      (ops.Logsumexp, special.logsumexp), (ops.Var, np.var), (ops.Std, np.std)]
        for axis in (None, 0, -1, (0, 2), (-1, -2), ())
        for keepdims in (False, True)
        for x in (some(2, 3, 4),)
        if not (axis == () and op is ops.Logsumexp)
    ),
    (ops.Var(axis=0, ddof=1), lambda x: np.var(x, axis=0, ddof=1), X),
    (ops.Std(axis=None, ddof=2), lambda x: np.std(x, ddof=2), X),
    (ops.Logsumexp(), special.logsumexp, np.array([1e3, 1e3 + 1, -1e4])),
    (ops.Softmax(), lambda x: special.softmax(x, axis=-1), X),
    (ops.Softmax(axis=0), lambda x: special.softmax(x, axis=0), 1e3 * X),
    (ops.LogSoftmax(axis=0), lambda x: special.log_softmax(x, axis=0), 1e3 * X),
    (ops.Reshape((2, -1)), lambda x: x.reshape(2, 6), X),
    (ops.Reshape(), np.ravel, X),
    (ops.Transpose(), np.transpose, X),
    (ops.Transpose((2, 0, 1)), lambda x: np.transpose(x, (2, 0, 1)), some(2, 3, 4)),
    (ops.BroadcastTo((2, 3, 4)), lambda x: np.broadcast_to(x, (2, 3, 4)), some(3, 1)),
    (ops.Concatenate(axis=-1), lambda *a: np.concatenate(a, axis=-1), X, some(3, 1), some(3, 0)),
    (ops.Stack(axis=1), lambda *a: np.stack(a, axis=1), X, X + 1),
    (ops.Split(3), lambda x: np.split(x, 3), X),
    (ops.Split(2, axis=-1), lambda x: np.split(x, 2, axis=-1), X),
    (ops.Pad(((1, 0), (0, 2))), lambda x: np.pad(x, ((1, 0), (0, 2))), X),
    (ops.Flip(), np.flip, X),
    (ops.Flip(axis=(0,)), lambda x: np.flip(x, (0,)), X),
    (ops.Roll(-2), lambda x: np.roll(x, -2), X),
    (ops.Roll(1, axis=-1), lambda x: np.roll(x, 1, -1), X),
    (ops.Cumsum(), lambda x: np.cumsum(x, axis=-1), X),
    (ops.Getitem(([0, 1, 1], slice(None, None, -2))), lambda x: x[[0, 1, 1], ::-2], X),
    (ops.Getitem((..., None, 1)), lambda x: x[..., None, 1], X),
    (ops.Take([[1, 0], [-1, 0]], axis=1), lambda x: np.take(x, [[1, 0], [-1, 0]], axis=1), X),
    (ops.Sort(axis=0), lambda x: np.sort(x, axis=0), X),
    (ops.Sort(), lambda x: np.sort(x, axis=-1), TIES),
    *((ops.Matmul(), np.matmul, a, b) for a, b in [
        (some(3), some(3)), (some(3), some(3, 2)), (some(2, 3), some(3)), (some(5, 1, 2, 3), some(4, 3, 2)),
        (some(3), some(4, 3, 2)), (some(2, 0), some(0, 3)),
    ]),
    (ops.Outer(), np.outer, X, some(2)),
    (ops.Trace(), lambda a: np.trace(a, axis1=-2, axis2=-1), some(2, 3, 4)),
    (ops.Inv(), np.linalg.inv, some(2, 3, 3)),
    (ops.Solve(), np.linalg.solve, some(2, 3, 3), some(3, 4)),
    (ops.Det(), np.linalg.det, some(2, 3, 3)),
    (ops.Det(), np.linalg.det, np.ones((3, 3))),
    (ops.Cholesky(), lambda a: linalg.cholesky(a, lower=True), spd(4)),
    *((ops.Einsum(s), lambda *a, s=s: np.einsum(s, *a), *arrays) for s, *arrays in [
        ("ij,jk->ik", some(2, 3), some(3, 4)), ("ii", some(3, 3)), ("iij->ji", some(3, 3, 2)),
        ("bij,bjk", some(2, 3, 4), some(2, 4, 5)), ("i,j,k->kji", some(2), some(3), some(4)),
    ]),
    (ops.Linear(), lambda x, w, b: np.einsum("abk,mk->abm", x, w) + b, some(2, 3, 4), some(5, 4), some(5)),
    (ops.Linear(), lambda x, w: w @ x, some(4), some(5, 4)),
    (ops.LayerNorm(), standardised, some(3, 5)),
    (ops.CrossEntropy([2, 0, 3]), lambda x: -np.log(special.softmax(x, axis=1))[[0, 1, 2], [2, 0, 3]].mean(), X),
    (ops.Conv2d(), correlated, IMAGES, KERNELS),
    (ops.Conv2d(stride=2, padding=1), lambda x, w: correlated(x, w, 2, 1), IMAGES, KERNELS),
]  # fmt: skip


def assert_same(op, reference, arrays):
    result = op.forward(*(variable(a) for a in arrays))
    expected = reference(*arrays)
    results = result if isinstance(result, tuple) else (result,)
    expecteds = expected if isinstance(expected, list) else [expected]
    assert len(results) == len(expecteds)
    for y, e in zip(results, expecteds, strict=True):
        assert y.data.shape == np.shape(e)
        np.testing.assert_allclose(y.data, e, rtol=4e-15 if np.size(e) > 20 else 1e-13, atol=1e-14)


@pytest.mark.parametrize(("op", "reference", "x"), UNARY, ids=lambda v: getattr(v, "__name__", ""))
def test_elementwise_of_one(op, reference, x):
    for arrays in ((x,), (x[::-2],), (x.reshape(1, -1, 1),), (np.array(x[0]),), (x[:0],)):
        assert_same(op(), reference, arrays)


@pytest.mark.parametrize(("op", "reference"), BINARY, ids=lambda v: getattr(v, "__name__", ""))
def test_elementwise_of_two(op, reference):
    x = some(4, 4)
    for y in (some(4, 4), x):
        assert_same(op(), reference, (x, y))


@pytest.mark.parametrize("op", [op for op, _ in BINARY if op is not ops.Matmul], ids=lambda op: op.__name__)
def test_elementwise_ops_of_two_broadcast(op):
    for left, right in [((3, 1), (4,)), ((), (2, 3)), ((2, 0), (1,)), ((1,), ())]:
        result = op().forward(variable(np.ones(left)), variable(np.full(right, 2.0)))
        assert result.data.shape == np.broadcast_shapes(left, right)


@pytest.mark.parametrize(
    ("op", "reference", "arrays"),
    [(op, f, arrays) for op, f, *arrays in OTHERS],
    ids=[f"{type(op).__name__}-{i}" for i, (op, *_) in enumerate(OTHERS)],
)
def test_value(op, reference, arrays):
    assert_same(op, reference, arrays)


@pytest.mark.parametrize("op", list(functions_in(ops)), ids=lambda op: op.__name__)
def test_every_op_is_held_against_a_reference(op):
    tested = {op for op, *_ in (*UNARY, *BINARY)} | {type(op) for op, *_ in OTHERS}
    assert op in tested, f"add {op.__name__} to UNARY, BINARY or OTHERS, with what it should equal"
