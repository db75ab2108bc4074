"""The engine: exact, linear, iterative, and without anything kept alive."""

import gc
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

from adverify import Function, Tensor, Variable, ops, tensor, variable
from adverify.ops.broadcasting import unbroadcast


class Add(Function):
    def forward(self, x, y):
        return variable(x.data + y.data)

    def backward(self, x, y, grad):
        x.grad += unbroadcast(grad, x.data.shape)
        y.grad += unbroadcast(grad, y.data.shape)


class Multiply(Function):
    def forward(self, x, y):
        return variable(x.data * y.data)

    def backward(self, x, y, grad):
        x.grad += unbroadcast(grad * y.data, x.data.shape)
        y.grad += unbroadcast(grad * x.data, y.data.shape)


class Negative(Function):
    def forward(self, x):
        return variable(-x.data)

    def backward(self, x, grad):
        x.grad -= grad


class SumAndSquares(Function):
    def forward(self, x):
        return variable(x.data.sum()), variable(x.data**2)

    def backward(self, x, grad):
        total, squares = grad
        x.grad += total + 2 * x.data * squares


class TensorDotProduct(Function):
    def forward(self, x, y):
        return variable(x.data @ y.data)

    def backward(self, x, y, grad):
        x.grad += grad @ y.data.T
        y.grad += x.data.T @ grad


add, multiply, negative = Add(), Multiply(), Negative()


@pytest.fixture
def operators(monkeypatch):
    for name, op in {"add": add, "mul": multiply, "matmul": TensorDotProduct()}.items():
        monkeypatch.setattr(Variable, f"__{name}__", op, raising=False)


@pytest.mark.usefixtures("operators")
def test_the_classic_usage_runs_as_printed():
    Tensor.__matmul__ = TensorDotProduct()
    x = tensor([[1.0, 2.0, 3.0]])
    y = tensor([[0.0], [1.0], [1.0]])
    z = x @ y
    z.backward()
    assert x.grad.tolist() == [[0, 1, 1]]
    assert y.grad.tolist() == [[1], [2], [3]]


@pytest.mark.usefixtures("operators")
@pytest.mark.parametrize("left", [2.0, 2, [2.0, 2.0], np.array([2.0, 2.0]), np.float64(2.0)])
def test_operators_lift_what_stands_on_either_side(left):
    x = tensor([1.0, 5.0])
    (left * x + left).backward()
    (x * left).backward()
    assert x.grad.tolist() == [4, 4]


@pytest.mark.usefixtures("operators")
def test_an_array_on_the_left_of_matmul_is_lifted():
    x = tensor([[1.0], [2.0]])
    (np.array([[3.0, 4.0]]) @ x).backward()
    assert x.grad.tolist() == [[3], [4]]


def test_a_chain_of_a_million_ops_is_neither_recursive_nor_quadratic():
    x = tensor(1.0)
    y = x
    for _ in range(1_000_000):
        y = negative(y)
    y.backward()
    assert x.grad == 1
    del y


def test_a_diamond_of_depth_ten_thousand_visits_each_node_once():
    visits = 0

    class CountingAdd(Add):
        def backward(self, x, y, grad):
            nonlocal visits
            visits += 1
            super().backward(x, y, grad * 0.5)

    op, x = CountingAdd(), tensor(0.0)
    y = x
    for _ in range(10_000):
        y = op(y, y)
    y.backward()
    assert visits == 10_000
    assert x.grad == 1


def test_a_node_is_visited_only_when_its_cotangent_is_complete():
    x = tensor(3.0)
    y = multiply(x, x)
    z = add(multiply(y, x), y)  # x**3 + x**2: y is reached by a short and by a long way
    z.backward()
    assert x.grad == 3 * 9 + 2 * 3


def test_a_kept_intermediate_has_its_own_gradient_and_is_propagated_once():
    x = tensor(2.0)
    y = multiply(x, x)
    y.requires_grad = True
    z = multiply(y, y)
    z.backward()
    assert (x.grad, y.grad) == (32, 8)


def test_a_second_pass_adds_exactly_once_more():
    x = tensor(2.0)
    y = multiply(x, x)
    y.requires_grad = True
    z = multiply(y, y)
    z.backward()
    z.backward()
    assert (x.grad, y.grad) == (64, 16)
    y.backward()
    assert (x.grad, y.grad) == (68, 17)


def test_what_does_not_require_its_gradient_ends_with_zero():
    x, c = tensor([1.0, 2.0]), variable([3.0, 4.0])
    y = multiply(x, c)
    add(y, y).backward()
    assert x.grad.tolist() == [6, 8]
    assert c.grad.tolist() == [0, 0]
    assert y.grad.tolist() == [0, 0]


def test_gradients_add_to_what_a_leaf_holds():
    x = Variable(np.array([1.0]), np.array([10.0]), requires_grad=True)
    negative(x).backward()
    assert x.grad.tolist() == [9]


def test_a_hand_made_back_gets_the_complete_cotangent():
    seen = []
    x = Variable(np.array(2.0), back=seen.append)
    add(x, multiply(x, x)).backward()
    assert seen == [5.0]


def test_a_hand_made_back_may_send_its_gradient_on_into_the_same_pass():
    x = tensor(3.0)
    y = multiply(x, x)
    hand_made = variable(2 * y.data, back=lambda grad: y.backward(2 * grad))
    add(hand_made, y).backward()
    assert x.grad == 18


def test_several_outputs_each_alone_and_together():
    x = tensor([1.0, 3.0])
    total, squares = SumAndSquares()(x)
    total.backward()
    assert x.grad.tolist() == [1, 1]
    squares.backward()
    assert x.grad.tolist() == [3, 7]
    x.grad = np.zeros(2)
    add(total, squares).backward()
    assert x.grad.tolist() == [2 + 2, 2 + 6]  # the total was broadcast, so its cotangent is 2


def test_an_op_that_returns_its_input_gives_a_new_node():
    class Identity(Function):
        def forward(self, x):
            return x

        def backward(self, x, grad):
            x.grad += grad

    x = tensor(1.0)
    y = Identity()(x)
    assert y is not x
    y.backward()
    assert x.grad == 1


def test_graphs_are_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = tensor([1.0])
        y = multiply(x, x)
        total, _ = SumAndSquares()(y)
        total.backward()
        freed = weakref.ref(y)
        del y, total, _
        assert freed() is None
    finally:
        gc.enable()


def test_an_op_that_raises_leaves_earlier_gradients_as_they_were():
    class Broken(Negative):
        def backward(self, x, grad):
            raise RuntimeError("broken")

    x = tensor(1.0)
    negative(x).backward()
    with pytest.raises(RuntimeError, match="broken"):
        add(Broken()(x), x).backward()
    assert x.grad == -1
    negative(x).backward()
    assert x.grad == -2


def test_float32_stays_float32():
    x = variable(np.float32([1, 2]), requires_grad=True)
    multiply(x, x).backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(
    ("data", "dtype"), [([1, 2], "f8"), (True, "f8"), (np.float32(1), "f4"), (np.ones(2, "i4"), "f8")]
)
def test_what_is_not_floating_becomes_float64(data, dtype):
    v = variable(data)
    assert v.data.dtype == dtype
    assert v.grad.dtype == dtype
    assert not v.grad.any()


def test_threads_differentiate_their_own_graphs():
    results = {}

    def work(n):
        x = tensor(float(n))
        y = x
        for _ in range(200):
            y = add(y, x)
        y.backward()
        results[n] = float(x.grad)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == dict.fromkeys(range(8), 201.0)


def test_a_cotangent_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"cotangent of shape \(3,\) for a Variable of shape \(2,\)"):
        negative(tensor([1.0, 2.0])).backward(np.ones(3))


def test_a_forward_that_returns_no_variable_is_refused():
    class Raw(Negative):
        def forward(self, x):
            return -x.data

    with pytest.raises(TypeError, match=r"Raw.forward returned a ndarray, not a Variable"):
        Raw()(tensor([1.0]))


def test_a_backward_of_the_wrong_arity_is_refused():
    class Wrong(Add):
        def backward(self, x, grad):
            x.grad += grad

    with pytest.raises(TypeError, match="backward"):
        Wrong()(tensor(1.0), tensor(2.0)).backward()


def test_a_gradient_of_the_wrong_shape_is_refused_where_it_is_made():
    class Widens(Negative):
        def backward(self, x, grad):
            x.grad = x.grad + np.ones((2, 2))

    with pytest.raises(
        ValueError, match=r"Widens.backward left a gradient of shape \(2, 2\) on an input of shape \(2,\)"
    ):
        Widens()(tensor([1.0, 2.0])).backward()


@pytest.mark.parametrize("data", ["text", [1 + 2j], object()])
def test_what_is_not_a_real_number_is_refused(data):
    with pytest.raises(TypeError, match="a Variable holds real numbers"):
        variable(data)


def test_a_pass_tells_an_op_which_inputs_need_their_gradient():
    class Asked(Multiply):
        def backward(self, x, y, grad):
            asked.append((x.needs_grad, y.needs_grad))
            super().backward(x, y, grad)

    asked = []
    x, constant = tensor([1.0, 2.0]), variable([3.0, 4.0])
    inner = Asked()(x, constant)
    Asked()(inner, [5.0, 6.0]).backward()
    assert asked == [(True, False), (True, False)]
    assert constant.needs_grad  # outside of a pass, as when backward is called by hand, every gradient is wanted
    assert x.grad.tolist() == [15, 24]


def test_accumulate_keeps_what_it_is_given_first_and_adds_to_it():
    x, first = tensor([1.0, 2.0]), np.array([3.0, 4.0])
    x.accumulate(first)
    assert x.grad is first
    x.accumulate(np.array([1.0, 1.0]))
    assert x.grad.tolist() == [4, 5]


def test_a_gradient_can_be_written_on_flattened_whatever_was_given_first():
    class AddsFlat(Function):
        def forward(self, x):
            return variable(x.data.copy())

        def backward(self, x, grad):
            x.grad.reshape(-1)[:] += grad.ravel()

    class AccumulatesTransposed(AddsFlat):
        def backward(self, x, grad):
            x.accumulate(np.array(grad, order="F"))

    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    (AddsFlat()(x) + AccumulatesTransposed()(x)).backward([[1.0, 10.0], [100.0, 1000.0]])
    assert x.grad.tolist() == [[2, 20], [200, 2000]]
    y = tensor([[1.0, 2.0], [3.0, 4.0]])
    (AccumulatesTransposed()(y) + AddsFlat()(y)).backward([[1.0, 10.0], [100.0, 1000.0]])
    assert y.grad.tolist() == [[2, 20], [200, 2000]]


@pytest.mark.parametrize("share", [2.0, np.float64(2), np.array(2.0), np.array([2.0, 2.0])])
def test_accumulate_leaves_shape_and_dtype_to_the_data(share):
    x = variable(np.float32([1, 2]))
    x.accumulate(share)
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [2, 2]


def test_the_gradient_of_a_number_is_an_array_that_can_be_written_on():
    x = tensor(3.0)
    x.accumulate(np.float64(2))
    x.grad = x.grad + np.float64(1)
    x.grad[...] += 1
    assert x.grad == 4


def test_two_inputs_that_get_the_cotangent_itself_do_not_share_it():
    x, y = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    (ops.add(x, y) + x).backward()
    y.grad += 10
    assert x.grad.tolist() == [2, 2]


def calls(run):
    """How many functions written in Python `run` calls: what an interpreter takes time for, and no clock."""
    entered = 0

    def count(frame, event, _):
        nonlocal entered
        entered += event == "call"

    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    return entered


def chain(n):
    x = tensor(1.0)
    y = x
    for _ in range(n):
        y = negative(y)
    return y


def fewest(prepare):
    """Count the calls of what is prepared, without those of whoever else runs in this thread for a moment."""
    return min(calls(prepare()) for _ in range(3))


def test_a_node_costs_a_bounded_number_of_calls():
    gc.disable()  # whose callbacks are calls too
    try:
        forward = (fewest(lambda: lambda: chain(300)) - fewest(lambda: lambda: chain(200))) / 100
        backward = (fewest(lambda: chain(300).backward) - fewest(lambda: chain(200).backward)) / 100
    finally:
        gc.enable()
    assert forward <= 7  # the op, its forward, `variable`, and what makes a Variable and its Node
    assert backward <= 6  # the Node, the op's backward, `grad` read and written, the check of its shape


def peak(run):
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_pass_holds_no_more_than_the_gradients_it_is_at():
    x = tensor(np.ones(100_000))
    y = x
    for _ in range(20):
        y = ops.negative(y)
    assert peak(y.backward) < 4.5 * x.data.nbytes  # the seed and its array, a cotangent, a share, a mask


def test_no_gradient_is_made_where_none_is_read():
    pixels, weight = np.ones((1000, 100)), tensor(np.ones((100, 1)))
    y = ops.matmul(pixels, weight)
    assert peak(y.backward) < 0.1 * pixels.nbytes


def test_memory_is_linear_in_the_graph():
    small, large = peak(lambda: chain(1000).backward()), peak(lambda: chain(4000).backward())
    assert large < 6 * small  # quadratic would be 16; a dict that grows is 4 to 5


def test_a_cotangent_may_be_given_by_its_name():
    class Together(Function):
        def forward(self, *variables):
            return variable(sum(v.data for v in variables))

        def backward(self, *variables, grad):
            for v in variables:
                v.grad += grad

    x, y = (tensor(v) for v in ([1.0, 2.0], [3.0, 4.0]))
    Together()(x, y, x).backward(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad, [2.0, 20.0])
    np.testing.assert_array_equal(y.grad, [1.0, 10.0])
