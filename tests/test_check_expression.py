"""A layer, a loss, a model: judged as it is, and the guilty node is named."""

import contextlib
import functools
import io
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from adverify import Function, InvalidFunction, Undecided, VerificationError, check_expression, ops, tensor, variable
from adverify.expression import Expression
from adverify.regression import call, script
from tests.misusing_ops import MISUSING, ClearsIntermediates
from tests.test_blame import CountingTies, Overwriting


class Steep(ops.Tanh):
    """A slope of 1 - tanh(x)."""

    def backward(self, x, grad):
        x.grad += grad * (1 - np.tanh(x.data))


class Network:
    def __init__(self, activation):
        rng = np.random.default_rng(0)
        self.layers = [tensor(rng.normal(size=(3, 4))), tensor(rng.normal(size=(4, 1)))]
        self.bias = tensor(rng.normal(size=4))
        self.activation = activation

    def __call__(self, x):
        return self.activation(x @ self.layers[0] + self.bias) @ self.layers[1]


def headline(f, **hints):
    with pytest.raises(VerificationError) as caught:
        check_expression(f, seed=0, **hints)
    return caught.value.report.headline


def test_a_model_is_verified_with_its_parameters():
    report = check_expression(Network(ops.Tanh()), seed=0)
    assert report.ok
    assert report.name == "Network"
    assert "layers_0" in report.inferred[-1]
    assert "bias" in report.inferred[-1]


def test_parameters_have_their_values_and_gradients_afterwards():
    model = Network(ops.Tanh())
    before = [v.data.copy() for v in (*model.layers, model.bias)]
    check_expression(model, seed=0, max_examples=5)
    for v, data in zip((*model.layers, model.bias), before, strict=True):
        np.testing.assert_array_equal(v.data, data)
        assert not v.grad.any()


GLOBAL = tensor([1.0, 2.0])


class OfGlobal:
    def __call__(self, x):
        return x * GLOBAL


class OfClass:
    scale = tensor([1.0, 2.0])

    def __call__(self, x):
        return x * self.scale


class OfSlot:
    __slots__ = ("scale",)

    def __init__(self):
        self.scale = tensor([1.0, 2.0])

    def __call__(self, x):
        return x * self.scale


class Box:
    def __init__(self, content):
        self.content = content


class Deep:
    def __init__(self):
        self.boxes = functools.reduce(lambda box, _: Box(box), range(6), tensor([1.0, 2.0]))

    def __call__(self, x):
        box = self.boxes
        while isinstance(box, Box):
            box = box.content
        return x * box


class Unseen:
    def __init__(self):
        self.made = itertools.repeat(tensor([1.0, 2.0]))

    def __call__(self, x):
        return x * next(self.made)


@pytest.mark.parametrize(
    ("model", "name", "find"),
    [
        (OfGlobal(), "GLOBAL", lambda m: GLOBAL),
        (OfClass(), "scale", lambda m: m.scale),
        (OfSlot(), "scale", lambda m: m.scale),
        (Deep(), "boxes_content_content", lambda m: m.boxes.content.content.content.content.content.content),
        (Unseen(), "parameter_0", lambda m: next(m.made)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parameters_are_named_and_keep_their_gradients_wherever_they_are(model, name, find):
    weights = find(model)
    weights.grad = held = np.array([7.0, 7.0])
    report = check_expression(model, inputs=[np.array([0.5, 1.5])], seed=0)
    assert f"its parameters {name}" in report.inferred[-1]
    assert weights.grad is held
    np.testing.assert_array_equal(held, [7.0, 7.0])


def test_the_guilty_node_of_a_model_is_named():
    model = Network(Steep())
    with pytest.raises(VerificationError) as caught:
        check_expression(model, seed=0)
    report = caught.value.report
    assert "node 6, `Steep`: by itself, x.grad[0] is" in report.headline
    assert report.failures[0].diagnoses[0].kind == "blame op"
    assert "its input is x = np.array(" in report.failures[0].diagnoses[0].text
    assert "Network(x).backward(" in str(report.failures[0])


def test_a_gradient_that_is_wrong_for_a_parameter_only_is_found():
    weights = tensor([0.5, -1.0])

    def f(x):
        return x + ops.sum(Steep()(weights))

    assert "`Steep`" in headline(f)


def test_an_op_that_overwrites_is_told_from_one_that_is_wrong():
    overwriting = Overwriting()
    assert "`Overwriting`, overwrites the gradient of leaf 0" in headline(lambda x: ops.exp(x) * overwriting(x) * x)


def test_ties_inside_a_program_are_named():
    assert "`CountingTies(axis=0)`, with ties in" in headline(lambda x: ops.sum(CountingTies(axis=0)(ops.sin(x)) ** 2))


@pytest.mark.parametrize("op", [*MISUSING, ClearsIntermediates])
def test_an_op_that_misuses_variables_is_named_even_where_the_gradient_is_right(op):
    misusing = op()
    assert f"node 2, `{op.__name__}`, " in headline(lambda x: ops.exp(misusing(ops.tanh(x)) * x))


def test_what_is_computed_outside_of_the_graph_is_said():
    def f(x, y):
        return ops.exp(x) * variable(np.sin(y.data)) + y

    assert "y also reaches the output by a way that the graph does not record" in headline(f)


class Scale(Function):
    """Its input times an attribute."""

    factor = 1.0

    def forward(self, x):
        return variable(self.factor * x.data)

    def backward(self, x, grad):
        x.grad += self.factor * grad


def test_an_op_that_is_changed_between_its_uses_is_named():
    scale = Scale()

    def f(x):
        scale.factor = 2.0
        y = scale(x)
        scale.factor = 3.0
        return scale(y)

    said = headline(f)
    assert "node 1, `Scale`, gave another output when the program ran" in said
    assert "NumPy" not in said


class Affine(Function):
    """x * b + c**2, each of them left out if it is None; of c the gradient is wrong."""

    def forward(self, x, b=None, c=None):
        return variable(x.data * (1.0 if b is None else b.data) + (0.0 if c is None else c.data**2))

    def backward(self, *inputs_and_grad):
        *inputs, grad = inputs_and_grad
        x, b, c = (*inputs, None, None)[:3]
        x.grad = x.grad + grad * (1.0 if b is None else b.data)
        if b is not None:
            b.grad = b.grad + grad * x.data
        if c is not None:
            c.grad = c.grad + grad * c.data


def test_an_input_that_is_left_out_between_others_is_not_taken_for_something_outside_of_the_graph():
    affine = Affine()
    said = headline(lambda x: affine(x, None, ops.exp(x)))
    assert "wrong gradient" in said
    assert "NumPy" not in said
    assert "changed" not in said


def test_kinks_that_meet_are_no_accusation():
    assert check_expression(lambda x: ops.relu(x) - ops.relu(-x), seed=0).ok


def test_several_outputs_and_any_number_of_inputs():
    assert check_expression(lambda x, y: (x * y, ops.sin(x) @ ops.cos(y)), seed=0, max_examples=20).ok
    assert check_expression(lambda *xs: ops.concatenate(xs), seed=0, max_examples=20).ok


def test_what_is_no_program_is_refused():
    with pytest.raises(TypeError, match="expected a callable of Variables"):
        check_expression(3)
    with pytest.raises(InvalidFunction, match="returned a float"):
        check_expression(lambda x: 3.0)


@pytest.mark.parametrize("other", [None, np.ones(2), {"loss": 1.0}, (), [variable(1.0), 2.0]])
def test_what_a_program_returned_is_said(other):
    with pytest.raises(InvalidFunction, match=r"returned (None|a ndarray|a dict|an empty tuple|a float); a program"):
        check_expression(lambda x: other)


def test_what_would_help_is_said_of_programs():
    def f(x):
        raise NotImplementedError("nothing yet")

    with pytest.raises(Undecided, match=r"nothing yet.*check_expression\(f, signature=") as caught:
        check_expression(f)
    assert "class" not in caught.value.report.headline


def test_the_example_of_a_program_runs_and_can_be_asked_again():
    steep = Steep()

    def f(x):
        return steep(x)

    with pytest.raises(VerificationError) as caught:
        check_expression(f, seed=0)
    (failure, *_) = caught.value.report.failures
    names = {"f": f}
    exec(script(failure).replace("f = ...", ""), names)
    assert names["x"].grad.any()
    with pytest.raises(VerificationError, match="Steep"):
        exec(call(failure), {"f": f, "np": np, "check_expression": check_expression})


def test_an_op_itself_is_a_program():
    report = check_expression(ops.Tanh(), seed=0, max_examples=10)
    assert report.ok
    assert report.name == "Tanh"
    assert "node 1, `Steep`" in headline(Steep())


@pytest.mark.parametrize("kind", [ops.Tanh, Network])
def test_a_class_is_no_program(kind):
    with pytest.raises(TypeError, match=rf"got the class {kind.__name__}. Give an instance of it"):
        check_expression(kind)


def test_a_callable_whose_inputs_are_unknown_is_refused():
    with pytest.raises(TypeError, match=r"Python does not know what .* takes"):
        check_expression(functools.partial(ops.Add(), tensor(1.0)))


def test_a_graph_without_ops_shows_nothing():
    with pytest.raises(InvalidFunction, match="it applies no op, so there is nothing to verify"):
        check_expression(Expression.trace(tensor([1.0, 2.0])))


def at_a_jump():
    return Expression.trace(ops.Floor()(tensor([1.0])))


def test_a_graph_of_which_nothing_can_be_decided_is_not_verified():
    with pytest.raises(Undecided, match="none of its nodes could be decided: Floor: forward jumps"):
        check_expression(at_a_jump())


def test_a_run_in_which_nothing_is_decided_fails():
    @settings(database=None, suppress_health_check=list(HealthCheck))
    @given(st.just(at_a_jump()))
    def only_jumps(e):
        check_expression(e)

    with pytest.raises(Unsatisfiable):
        only_jumps()


def test_graphs_that_cannot_be_decided_are_no_failures_of_a_run():
    @settings(database=None)
    @given(st.sampled_from([at_a_jump(), Expression.trace(ops.sin(tensor([1.0])))]))
    def some_jumps(e):
        assert check_expression(e).cases == 1

    some_jumps()


def test_what_a_partial_holds_is_verified_by_name():
    weights = tensor([0.5, -1.0])

    def f(w, x):
        return ops.sum(Steep()(w)) + x

    assert "`Steep`" in headline(functools.partial(f, weights))
    report = check_expression(functools.partial(lambda w, x: w * x, weights), max_examples=5, seed=0)
    assert "parameters w " in report.inferred[-1]


def test_a_parameter_that_is_used_as_an_array_too_is_named():
    scale, many = tensor(1.5), tensor(np.linspace(0.1, 2, 60))

    def f(x):
        return ops.sin(x) * scale.data + scale * x

    def normalised(x):
        return ops.sum(many * (1 / np.linalg.norm(many.data))) * x

    assert "scale also reaches the output by a way that the graph does not record" in headline(f)
    assert "many also reaches the output by a way that the graph does not record" in headline(normalised)


class ForParametersOnly(ops.Multiply):
    """Gives y nothing where x requires no gradient."""

    def backward(self, x, y, grad):
        x.grad += grad * y.data
        if x.requires_grad:
            y.grad += grad * x.data


def test_numbers_of_nodes_that_the_author_has_not_written_are_not_shown():
    def f(x, y):
        return ops.sin(ForParametersOnly()(ops.sin(x), y))

    with pytest.raises(VerificationError) as raised:
        check_expression(f, seed=1)
    said = str(raised.value)
    assert "`ForParametersOnly`" in said
    numbers = [int(n) for n in re.findall(r"\b(?:node|leaf) (\d+)", said)]
    assert all(n < 5 for n in numbers), said


def test_a_callable_may_have_a_name_and_nothing_else():
    class Layer:
        __name__ = "layer"

        def __call__(self, x):
            return x * x

    assert check_expression(Layer(), inputs=[np.array([0.5, 2.0])]).ok


PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "verify-a-model.md"


def test_the_page_on_models_shows_what_happens():
    blocks = re.findall(r"^```(python|text)\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    names, said = {}, ""
    for language, block in blocks:
        if language == "text":
            pattern = ".*".join(map(re.escape, block.strip().split("...")))
            assert re.match(pattern, said.strip(), flags=re.DOTALL), said
            continue
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            try:
                exec(compile(block, str(PAGE), "exec"), names)
            except VerificationError as error:
                print(error)
        said = output.getvalue()
