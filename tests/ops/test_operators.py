"""A Variable takes the operators and methods of an ndarray, with their gradients."""

import operator
from collections.abc import Iterator

import numpy as np
import pytest

from adverify import Function, Variable, ops, tensor, variable

X = np.array([[1.5, -2.0, 0.5], [3.0, 1.0, -0.5]])
Y = np.array([[2.0, 0.75, -1.25], [0.5, -3.0, 4.0]])

BINARY = {
    operator.add: lambda x, y: (1, 1),
    operator.sub: lambda x, y: (1, -1),
    operator.mul: lambda x, y: (y, x),
    operator.truediv: lambda x, y: (1 / y, -x / y**2),
    operator.floordiv: lambda x, y: (0, 0),
    operator.mod: lambda x, y: (1, -np.floor(x / y)),
    operator.pow: lambda x, y: (y * x ** (y - 1), x**y * np.log(x)),
}
PLAIN = (np.add, np.subtract, np.multiply, np.divide, np.floor_divide, np.mod, np.power)
UFUNCS = dict(zip(BINARY, PLAIN, strict=True))  # ** of NumPy before 2.3 keeps single precision where np.power does not
OTHERS = [3, 2.5, True, np.float64(0.75), np.array([2.0, 4.0, 0.5]), [[1.0], [2.0]], np.ones((4, 1, 1)), np.array(1.5)]


def gradients(y, *leaves):
    y.backward(np.ones(y.shape))
    return [x.grad for x in leaves]


def summed(slope, like, shape):
    """A partial derivative, broadcast to the result and summed to the shape of an input."""
    full = np.broadcast_to(slope, like.shape)
    extra = full.ndim - len(shape)
    full = full.sum(axis=tuple(range(extra)))
    return full.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_operators_of_two_variables(op):
    x, y = tensor(np.abs(X)), tensor(Y)
    z = op(x, y)
    np.testing.assert_array_equal(z.data, op(x.data, y.data))
    for grad, slope in zip(gradients(z, x, y), BINARY[op](x.data, y.data), strict=True):
        np.testing.assert_allclose(grad, np.broadcast_to(slope, X.shape))


@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_numbers_and_arrays_stand_on_either_side(op, other):
    x, plain = tensor(np.abs(X)), np.asarray(other, dtype=float)
    right = op(x, other)
    np.testing.assert_array_equal(right.data, op(x.data, plain))
    (grad,) = gradients(right, x)
    np.testing.assert_allclose(grad, summed(BINARY[op](x.data, plain)[0], right.data, X.shape))
    x = tensor(np.abs(X))
    left = op(other, x)
    np.testing.assert_array_equal(left.data, op(plain, x.data))
    (grad,) = gradients(left, x)
    np.testing.assert_allclose(grad, summed(BINARY[op](plain, x.data)[1], left.data, X.shape))


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", [2, 2.5, True, np.float32(2), np.float64(2), np.ones(3, "f4"), np.ones(3)], ids=repr)
def test_single_precision_is_kept_where_numpy_keeps_it(op, other):
    x = variable(np.abs(X).astype("f4"), requires_grad=True)
    ufunc = UFUNCS[op]
    for z, plain in ((op(x, other), ufunc(x.data, other)), (op(other, x), ufunc(other, x.data))):
        assert z.dtype == np.asarray(plain).dtype
        assert gradients(z, x)[0].dtype == np.float32


def test_single_precision_is_kept_by_functions_too():
    x = variable(np.float32([1, 2]))
    assert ops.maximum(x, 0).dtype == np.float32
    assert ops.where(X[0, :2] > 0, x, 0.0).dtype == np.float32
    assert ops.maximum(x, np.float64(0)).dtype == np.float64
    assert x.clip(0, 1.5).dtype == np.float32


@pytest.mark.parametrize(("op", "slope"), [(operator.neg, -1), (abs, np.sign(X))])
def test_operators_of_one(op, slope):
    x = tensor(X)
    y = op(x)
    np.testing.assert_array_equal(y.data, op(X))
    np.testing.assert_array_equal(gradients(y, x)[0], np.broadcast_to(slope, X.shape))


@pytest.mark.parametrize(
    ("left", "right"), [(X, Y.T), (X, Y[0]), (Y[:, 0], X), (X[0], Y[0]), (np.stack([X, Y]), Y.T)], ids=str
)
def test_matmul_with_an_array_on_either_side(left, right):
    x, y = tensor(left), tensor(right)
    both = gradients(x @ y, x, y)
    x, y = tensor(left), tensor(right)
    for z, leaf, grad in ((x @ right, x, both[0]), (left @ y, y, both[1])):
        np.testing.assert_array_equal(z.data, left @ right)
        np.testing.assert_array_equal(gradients(z, leaf)[0], grad)


def test_in_place_operators_make_a_new_variable():
    x = tensor(X)
    y = x
    y += 1
    y *= x
    np.testing.assert_array_equal(gradients(y, x)[0], 2 * X + 1)
    np.testing.assert_array_equal(x.data, X)


def test_a_reflected_operator_is_the_one_that_a_user_put_in_place(monkeypatch):
    class Spy(Function):
        def forward(self, x, y):
            return variable(np.array(42.0))

        def backward(self, x, y, grad):
            pass

    monkeypatch.setattr(Variable, "__add__", Spy())
    assert (1 + tensor(2.0)).item() == 42


METHODS = [
    ("sum", (), {}), ("sum", (0,), {}), ("sum", (), {"axis": -1, "keepdims": True}), ("mean", (1,), {}),
    ("prod", (), {}), ("max", (), {"axis": 0}), ("min", (), {}), ("var", (), {"ddof": 1}), ("std", (0,), {}),
    ("reshape", (3, 2), {}), ("reshape", ((3, -1),), {}), ("reshape", (-1,), {}), ("ravel", (), {}),
    ("transpose", (), {}), ("transpose", (1, 0), {}), ("transpose", ((1, 0),), {}), ("clip", (-1, 2), {}),
    ("dot", (Y.T,), {}), ("dot", (Y[0],), {}), ("dot", (2.0,), {}), ("__getitem__", (1,), {}),
    ("__getitem__", ((slice(None), [0, 0, -1]),), {}), ("__getitem__", (X > 0,), {}),
    ("__getitem__", ((..., None),), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "kwargs"), METHODS, ids=str)
def test_methods_give_what_those_of_an_array_give(name, args, kwargs):
    x = tensor(X)
    y = getattr(x, name)(*args, **kwargs)
    expected = getattr(X, name)(*args, **kwargs)
    np.testing.assert_allclose(y.data, expected)
    assert y.shape == np.shape(expected)
    weights = np.cos(np.arange(y.size)).reshape(y.shape)  # the gradient of <weights, y> along a direction
    y.backward(weights)
    direction, h = np.sin(X), 1e-6
    ahead, behind = (getattr(X + s * h * direction, name)(*args, **kwargs) for s in (1, -1))
    slope = np.vdot(weights, np.asarray(ahead) - behind) / (2 * h)
    np.testing.assert_allclose(np.vdot(x.grad, direction), slope, rtol=1e-7, atol=1e-9)


def test_transposed_is_a_property():
    x = tensor(X)
    np.testing.assert_array_equal(x.T.data, X.T)
    np.testing.assert_array_equal(gradients(x.T * Y.T, x)[0], Y)


def test_dot_refuses_what_matmul_would_take_otherwise():
    with pytest.raises(ValueError, match="at most two dimensions; got 3"):
        tensor(X).dot(np.ones((2, 3, 4)))


def test_a_variable_says_how_large_it_is():
    x = variable(X.astype("f4"))
    assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3), 2, 6, np.float32, 2)
    with pytest.raises(TypeError, match="unsized"):
        len(variable(1.0))


def test_iteration_ends_and_has_gradients():
    x = tensor(X)
    assert isinstance(iter(x), Iterator)
    first, second = x
    np.testing.assert_array_equal(gradients(first * second, x)[0], X[::-1])
    assert [v.item() for row in x for v in row] == X.ravel().tolist()
    assert list(tensor(np.ones((0, 2)))) == []
    with pytest.raises(TypeError, match="0-d"):
        iter(variable(1.0))


@pytest.mark.parametrize("op", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
@pytest.mark.parametrize("other", [0.5, Y, X.tolist(), np.float64(1)], ids=["number", "array", "list", "scalar"])
def test_comparisons_are_arrays_of_booleans(op, other):
    for right in (other, variable(other)):
        for result, expected in ((op(variable(X), right), op(X, other)), (op(right, variable(X)), op(other, X))):
            assert type(result) is np.ndarray
            np.testing.assert_array_equal(result, expected)


def test_a_mask_picks_elements():
    x = tensor(X)
    np.testing.assert_array_equal(gradients(x[x > 0], x)[0], X > 0)


def test_dicts_and_sets_know_a_variable_by_identity():
    variables = [variable(1.0) for _ in range(1000)]
    assert len(set(variables)) == len(dict.fromkeys(variables)) == 1000
    assert variables[3] in set(variables)
    assert variable(1.0) not in dict.fromkeys(variables)
    assert hash(variables[0]) == object.__hash__(variables[0])


def test_a_pass_never_compares_variables(monkeypatch):
    def compared(*_):
        raise AssertionError("compared")

    monkeypatch.setattr(Variable, "__eq__", compared)
    x = tensor(X)
    y = x
    for _ in range(50):
        y = y * x + y
    y.sum().backward()
    assert x.grad.any()


def test_a_single_value_is_a_number():
    x = variable([[1.5]])
    assert (x.item(), variable(X).item(1), float(x.sum()), int(x.sum()), bool(x)) == (1.5, -2.0, 1.5, 1, True)
    assert not variable(0.0)
    with pytest.raises(ValueError, match="truth value"):
        bool(variable(X))
    with pytest.raises(TypeError):
        float(variable(X))


def test_containment_is_that_of_the_values():
    assert 3.0 in variable(X)
    assert 7.0 not in variable(X)


@pytest.mark.parametrize("function", [np.asarray, np.sin, np.exp, lambda x: np.array([x, x]), variable, np.dot])
def test_numpy_does_not_drop_a_gradient_silently(function):
    with pytest.raises(TypeError):
        function(tensor(X), tensor(X)) if function is np.dot else function(tensor(X))


def test_constructor_arguments_follow_the_inputs_of_a_function():
    x = tensor(X)
    np.testing.assert_array_equal(ops.sum(x, 0).data, X.sum(0))
    np.testing.assert_array_equal(ops.clip(x, -1, 1).data, X.clip(-1, 1))
    np.testing.assert_array_equal(ops.concatenate([x, x], axis=1).data, np.concatenate([X, X], axis=1))
    np.testing.assert_array_equal(ops.concatenate(x, Y).data, np.concatenate([X, Y]))
    np.testing.assert_array_equal(ops.abs(x).data, np.abs(X))
    with pytest.raises(TypeError, match="takes no arguments"):
        ops.sin(x, 1)


def test_an_unknown_function_is_answered_with_what_is_near():
    with pytest.raises(AttributeError, match=r"no op named 'arcsine'; did you mean arcsin"):
        ops.arcsine  # noqa: B018
    assert not hasattr(ops, "__wrapped__")


def test_negative_bases_have_integral_powers():
    x = tensor([-2.0, -0.5, 3.0, 0.0])
    for n in range(-3, 5):
        base = x.data if n > 0 else x.data[:3]
        x, exponent = tensor(base), tensor(float(n))
        y = x**exponent
        np.testing.assert_array_equal(y.data, base**n)
        y.backward()
        np.testing.assert_allclose(x.grad, n * base ** (n - 1 if n else 1))
        assert np.isfinite(exponent.grad)
        np.testing.assert_allclose(exponent.grad, (3.0**n * np.log(3.0)))
