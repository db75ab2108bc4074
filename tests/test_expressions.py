"""Programs as data: drawn, evaluated, differentiated, printed, drawn as pictures, counted, compared, shrunk."""

import pickle
import sys
import types
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from adverify.strategies import expressions
from hypothesis import HealthCheck, Phase, find, given, seed, settings

from adverify import Function, ops, tensor, variable
from adverify.absent_inputs import without
from adverify.blame import judge_expression
from adverify.domains import positive, real
from adverify.expression import Apply, Expression, Leaf, Use
from adverify.expression_shrinking import shrunk
from adverify.verdict import Status

DRAWN = settings(max_examples=60, database=None, deadline=None, suppress_health_check=list(HealthCheck))
ARITHMETIC = [ops.Add, ops.Multiply, ops.Exp, ops.Matmul, ops.Sum]


def example():
    x, y = tensor([[1.0, 2.0], [3.0, 5.0]]), variable([0.5, 0.25])
    q, r = ops.QR()(x)
    return Expression.trace(q * y + ops.sin(r), ops.sum(x, axis=0), inputs=[x, y])


@seed(0)
@DRAWN
@given(expressions())
def test_a_drawn_program_can_be_run_and_its_values_are_finite(e):
    assert all(np.isfinite(y).all() for y in e.evaluate())
    assert len(e.nodes) - len(e.leaves) <= 12
    assert len(e.leaves) <= 5
    assert len(e.gradients()) == len(e.leaves)


@seed(0)
@DRAWN
@given(expressions())
def test_the_python_of_a_program_computes_its_gradients(e):
    names = {}
    exec(e.python(), names)
    for i, gradient in zip(e.leaves, e.gradients(), strict=True):
        np.testing.assert_array_equal(names[f"x{i}"].grad, gradient)


@seed(0)
@DRAWN
@given(expressions(ops=ARITHMETIC, max_nodes=4, leaves=2, shapes=[(2,), (2, 2)]))
def test_what_is_asked_of_programs_is_kept_to(e):
    assert set(e.ops) <= {op.__name__ for op in ARITHMETIC} | {"Squash"}
    assert len(e.nodes) - len(e.leaves) <= 4
    assert len(e.leaves) <= 2
    assert {e.values[i][0].shape for i in e.leaves} <= {(2,), (2, 2)}


@pytest.mark.parametrize(
    ("chosen", "shapes"),
    [
        (None, [(3,)]),
        ([ops.Sin], [(7, 11)]),
        ([ops.Sin, ops.Add], [(2, 2, 2, 2, 2)]),
        ([ops.Sin], [()]),
        ([ops.Matmul, ops.Sum], [(3, 4), (4, 3)]),
        ([ops.Multiply, ops.Exp], [(5,), (2, 5)]),
    ],
)
def test_programs_on_leaves_of_given_shapes_apply_ops_to_them(chosen, shapes):
    drawn = []

    @seed(0)
    @settings(DRAWN, max_examples=30, phases=[Phase.generate])
    @given(expressions(chosen, shapes=shapes))
    def draw(e):
        assert {e.values[i][0].shape for i in e.leaves} <= set(shapes)
        assert e.ops
        drawn.append(e)

    draw()
    assert len(drawn) >= 29
    assert sum(e.depth > 1 for e in drawn) >= 10


def test_ops_that_take_no_leaf_of_the_given_shapes_are_named():
    with pytest.raises(ValueError, match=r"to leaves of shapes=\[\(7, 11\)\]: Matmul takes \(2,\), \(2,\)"):
        find(expressions([ops.Matmul], shapes=[(7, 11)]), lambda e: True)


def test_an_op_that_takes_nothing_is_named():
    class Refusing(ops.Sin):
        def forward(self, x):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no op of ops can be applied: Refusing takes nothing that was tried"):
        find(expressions([Refusing]), lambda e: True)


class OfThirteen(Function):
    """Doubles thirteen numbers, and does not say that it wants so many."""

    def forward(self, x):
        if x.data.shape != (13,):
            raise ValueError("no")
        return variable(2 * x.data)

    def backward(self, x, grad):
        x.grad = x.grad + 2 * grad


def test_shapes_that_only_the_caller_knows_of_are_taken():
    assert find(expressions([OfThirteen], shapes=[(13,)]), lambda e: True, settings=DRAWN).ops["OfThirteen"]


@pytest.mark.parametrize(
    "trait",
    [
        lambda e: e.shared > 0,
        lambda e: e.repeated > 0,
        lambda e: len(e.outputs) > 1,
        lambda e: len(e.leaves) > 1,
        lambda e: any(isinstance(n, Apply) and n.kept for n in e.nodes),
        lambda e: any(isinstance(n, Leaf) and not n.requires_grad for n in e.nodes),
        lambda e: any(isinstance(n, Leaf) and n.array.dtype == np.float32 for n in e.nodes),
        lambda e: any(not e.consumers[i] and Use(i) not in e.outputs for i in e.leaves),
        lambda e: any(u.output for n in e.nodes for u in n.inputs),
        lambda e: e.depth >= 6,
        lambda e: len(e.values[e.outputs[0].node][0].shape) == 3,
    ],
)
def test_programs_have_every_trait(trait):
    assert trait(find(expressions(), trait, settings=settings(DRAWN, max_examples=2000, phases=[Phase.generate])))


def test_a_program_shrinks_to_the_ops_that_matter():
    smallest = find(expressions(ARITHMETIC), lambda e: e.ops["Exp"] and e.shared, settings=DRAWN)
    assert sum(smallest.ops.values()) <= 2
    assert len(smallest.leaves) == 1


def test_the_users_own_ops_are_drawn_too():
    class Halved(Function):
        signature = "(n)->()"

        def forward(self, x):
            return variable(x.data.sum(axis=-1) / 2)

        def backward(self, x, grad):
            x.grad += np.expand_dims(grad, -1) / 2

    e = find(expressions([ops.Exp, Halved]), lambda e: e.ops["Halved"] and e.ops["Exp"], settings=DRAWN)
    assert "Halved" in repr(e)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"max_nodes": 0}, ValueError),
        ({"max_nodes": 2.5}, TypeError),
        ({"max_nodes": "3"}, TypeError),
        ({"leaves": 0}, ValueError),
        ({"leaves": None}, TypeError),
        ({"ops": []}, ValueError),
        ({"ops": ops.Sin}, TypeError),
        ({"ops": "Sin"}, TypeError),
        ({"ops": [3]}, TypeError),
        ({"shapes": []}, ValueError),
        ({"shapes": [(2, -1)]}, ValueError),
        ({"shapes": [(1000, 1000)]}, ValueError),
        ({"shapes": ["ab"]}, TypeError),
        ({"shapes": (2, 3)}, TypeError),
    ],
)
def test_what_cannot_be_drawn_is_refused_where_it_is_asked_for(wrong, error):
    ((name, value),) = wrong.items()
    expected = f"{name} is .*" if value != [3] else "expected a subclass of adverify.Function.*"
    with pytest.raises(error, match=expected + ("give" if value == [] and name == "ops" else "; got")):
        expressions(**wrong)


def test_a_traced_graph_is_counted():
    e = example()
    assert e.ops == {"QR": 1, "Multiply": 1, "Sin": 1, "Add": 1, "Sum": 1}
    assert e.pairs == {("Multiply", "QR"): 1, ("Sin", "QR"): 1, ("Add", "Multiply"): 1, ("Add", "Sin"): 1}
    assert (e.size, e.depth, e.shared, e.repeated) == (7, 3, 2, 0)


def test_an_expression_is_a_function_of_its_leaves():
    e = example()
    x, y = np.array([[2.0, 1.0], [0.5, 4.0]]), np.array([1.0, -1.0])
    q, r = np.linalg.qr(x)
    sums = e.evaluate(x, y)
    # The signs of Q and R are a convention; what they are not is in the other output.
    np.testing.assert_allclose(sums[1], x.sum(axis=0))
    np.testing.assert_allclose(np.abs(sums[0][1, 0]), np.abs(q * y + np.sin(r))[1, 0])
    first, second = e(tensor(x), tensor(y))
    np.testing.assert_array_equal(first.data, sums[0])
    np.testing.assert_array_equal(second.data, sums[1])


def test_expressions_are_compared_by_what_they_are():
    assert example() == example()
    assert hash(example()) == hash(example())
    assert example() != example().at([[1.0, 2.0], [3.0, 6.0]], [0.5, 0.25])


def test_programs_whose_ops_hold_other_arrays_are_not_equal():
    x = tensor([0.5, 1.0])
    one, same, other = (Expression.trace(Hidden(np.eye(2) * k)(x)) for k in (1, 1, 5))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


def test_other_values_keep_the_dtype_of_a_leaf():
    e = Expression.trace(ops.sin(tensor(np.array([1.0, 2.0], np.float32))) * 2.0)
    own = [e.nodes[i].array for i in e.leaves]
    assert e.at(*own) == e
    assert {g.dtype for g in e.at(*(a.tolist() for a in own)).gradients()} == {np.dtype(np.float32)}


def test_other_shapes_get_cotangents_of_theirs():
    e = Expression.trace(ops.sin(tensor([1.0, 2.0])), cotangents=[[3.0, 4.0]])
    np.testing.assert_array_equal(e.at([1.0, 2.0, 3.0]).gradients()[0], np.cos([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(e.at([5.0, 6.0]).gradients()[0], np.cos([5.0, 6.0]) * [3.0, 4.0])


@pytest.mark.parametrize("value", [None, "a"])
def test_values_that_are_no_numbers_are_refused(value):
    with pytest.raises((TypeError, ValueError), match=r"real numbers; got"):
        Expression.trace(ops.sin(tensor([1.0]))).at(value)


@pytest.mark.parametrize(
    "make",
    [lambda x: ops.sin(x) * x, lambda x: with_nothing_in_the_middle(Optional), lambda x: Private(np.eye(2))(x)],
    ids=["arithmetic", "an absent input", "an op that holds an array"],
)
def test_a_program_can_be_pickled(make):
    e = Expression.trace(make(tensor([0.5, 1.0])))
    again = pickle.loads(pickle.dumps(e))
    assert again.python() == e.python()
    np.testing.assert_array_equal(again.gradients()[0], e.gradients()[0])


@pytest.mark.parametrize(
    ("outputs", "options", "error", "said"),
    [
        ((), {}, ValueError, "got none. Give at least one"),
        ((3.0,), {}, TypeError, "expected Variables .* got 3.0, a float"),
        ((None,), {}, TypeError, "got None"),
        ((tensor([1.0, 2.0]),), {"inputs": [3.0]}, TypeError, "got 3.0"),
        ((tensor([1.0, 2.0]),), {"cotangents": 1.0}, TypeError, "a list of one array for each output; got 1.0"),
        ((tensor([1.0, 2.0]),), {"cotangents": []}, ValueError, "each output, here 1; got 0"),
        ((tensor([1.0, 2.0]),), {"cotangents": [1.0, 2.0]}, ValueError, "each output, here 1; got 2"),
        ((tensor([1.0, 2.0]),), {"cotangents": [np.ones(5)]}, ValueError, r"cotangents\[0\] is of shape \(5,\)"),
    ],
)
def test_what_is_no_graph_is_refused(outputs, options, error, said):
    with pytest.raises(error, match=said):
        Expression.trace(*outputs, **options)


def test_cotangents_may_be_an_array_of_one_for_each_output():
    (g,) = Expression.trace(ops.sin(tensor([1.0, 2.0])), cotangents=np.array([[3.0, 4.0]])).cotangents
    np.testing.assert_array_equal(g, [3.0, 4.0])


class ToThe(Function):
    """A power that is chosen."""

    def __init__(self, n=2):
        self.n = n

    def forward(self, x):
        return variable(x.data**self.n)

    def backward(self, x, grad):
        x.grad += self.n * grad * x.data ** (self.n - 1)


def test_an_instance_that_is_drawn_is_written_with_its_arguments():
    e = find(expressions([ToThe(3)]), lambda e: True)
    assert "ToThe(n=3)" in str(e)
    names = {}
    exec(str(e), names)
    (leaf,) = (v for name, v in names.items() if name.startswith("x"))
    np.testing.assert_array_equal(leaf.grad, e.gradients()[0])


def test_instances_that_differ_are_told_apart():
    x = tensor([1.0, 2.0])
    e = Expression.trace(ops.Clip(0.0, 1.5)(x) + ops.Clip(0.0, 3.0)(x))
    assert "Clip(min=0.0, max=1.5)" in repr(e) or "1.5" in repr(e)
    np.testing.assert_array_equal(e.evaluate()[0], [2.0, 3.5])


def test_leaves_are_counted_where_their_number_is_wrong():
    with pytest.raises(ValueError, match="has 2 leaves; got 1"):
        example().evaluate([1.0])


def test_diagrams_show_every_node_and_escape_what_is_written():
    class Less(Function):
        def __init__(self, text):
            self.text = text

        def forward(self, x):
            return variable(2 * x.data)

        def backward(self, x, grad):
            x.grad += 2 * grad

    x = tensor([1.0, 2.0])
    e = Expression.trace(Less('<b>"')(x) + x)
    root = ET.fromstring(e.svg())
    assert len(root.findall("{http://www.w3.org/2000/svg}rect")) == e.size
    assert len(root.findall("{http://www.w3.org/2000/svg}line")) == 3
    assert "<b>" not in e._repr_html_()
    assert e.dot().count("->") == e.mermaid().count("-->") == 3
    assert '\\"' in e.dot()
    assert "<b>" not in e.mermaid()


def test_diagrams_mark_outputs_and_what_keeps_its_gradient():
    x, y = tensor([1.0, 2.0]), variable([3.0, 4.0])
    kept = ops.sin(x)
    kept.requires_grad = True
    e = Expression.trace(kept - y)
    assert [type(n).__name__ for n in e.nodes] == ["Leaf", "Leaf", "Apply", "Apply"]
    (constant,) = [i for i in e.leaves if not e.nodes[i].requires_grad]
    for text, output, blue in ((e.dot(), "penwidth=2", "color="), (e.mermaid(), "stroke-width:3px", "stroke:#")):
        assert [line for line in text.splitlines() if output in line and "n3" in line]
        marked = [line for line in text.splitlines() if blue in line]
        assert len(marked) == 2
        assert not any(f"n{constant} " in line for line in marked)


def test_diagrams_show_the_order_of_inputs_and_each_edge():
    x, y = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    e = Expression.trace(x - y, inputs=[y, x])
    assert 'n1 -> n2 [label="0"]' in e.dot()
    assert "n0 -->|1| n2" in e.mermaid()
    square = Expression.trace(x * x)
    lines = ET.fromstring(square.svg()).findall("{http://www.w3.org/2000/svg}line")
    assert len({line.get("x2") for line in lines}) == 2
    assert 'label="' not in Expression.trace(ops.sin(x)).dot().split("->")[1]


def test_mermaid_has_codes_of_its_own():
    text = Expression.trace(ops.Einsum("i,j->")(tensor([1.0]), tensor([2.0]))).mermaid()
    assert "Einsum(subscripts='i,j-#gt;')" in text
    assert "&" not in text


def test_shrinking_leaves_what_matters():
    x = tensor([[0.3, 0.7], [1.5, 2.5]])
    y = ops.exp(ops.sin(x) * x) + ops.sum(ops.cos(x) @ x, axis=0)
    small = shrunk(Expression.trace(y), lambda e: "Cos" in e.ops and e.shared)
    assert small.ops["Cos"] == 1
    assert sum(small.ops.values()) == 2
    assert all(e.size == 1 for e in small.evaluate())


class Optional(Function):
    """x b + c^2, where b and c may be None."""

    def forward(self, x, b=None, c=None):
        return variable(x.data * (1 if b is None else b.data) + (0 if c is None else c.data**2))

    def backward(self, x, *others_and_grad):
        *others, grad = others_and_grad
        b, c = (*others, None, None)[:2]
        x.grad += grad * (1 if b is None else b.data)
        if b is not None:
            b.grad += grad * x.data
        if c is not None:
            c.grad += self.slope(c) * grad

    def slope(self, c):
        return 2 * c.data


class WronglyOptional(Optional):
    def slope(self, c):
        return c.data


def with_nothing_in_the_middle(kind):
    x, op = tensor([1.0, 2.0]), kind()
    return op(x, None, ops.exp(x)) + op(x, x)


def test_an_input_that_is_none_keeps_its_place():
    y = with_nothing_in_the_middle(Optional)
    e = Expression.trace(y)
    np.testing.assert_array_equal(e.evaluate()[0], y.data)
    assert "Optional(0, None, 2)" in repr(e)
    assert "optional(x0, None, v2)" in e.python()
    np.testing.assert_array_equal(run(e)["x0"].grad, e.gradients()[0])
    assert e.ops == {"Exp": 1, "Optional": 2, "Add": 1}


def test_an_op_that_is_wrong_where_an_input_is_none_is_named_with_its_input():
    assert judge_expression(Expression.trace(with_nothing_in_the_middle(Optional))).verdict.status is Status.HOLDS
    judgement = judge_expression(Expression.trace(with_nothing_in_the_middle(WronglyOptional)))
    assert "`WronglyOptional`: by itself, c.grad[0] is" in judgement.verdict.reason


def test_domains_are_those_of_the_inputs_that_are_there():
    class Declaring(Optional):
        domain = (positive, real, positive)

    assert without(Declaring(), (1,)).domain == (positive, positive)


def run(e):
    names = {}
    exec(e.python(), names)
    return names


def defined(name, base, module):
    """A class as if it had been written in a module."""
    kind = type(name, (base,), {"__module__": module.__name__})
    setattr(module, name, kind)
    return kind


@pytest.fixture
def modules(monkeypatch):
    made = [types.ModuleType(f"adverify_test_module_{i}") for i in range(2)]
    for module in made:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


@pytest.mark.parametrize("name", ["Tensor", "Variable", "Not", "Lambda", "In", "Np", "X0", "V1", "Total", "Output"])
def test_ops_of_any_name_are_written(name, modules):
    op = defined(name, ops.Sin, modules[0])()
    x, y = tensor([0.5]), tensor([0.25])
    e = Expression.trace(op(ops.exp(op(x))) * y, ops.sin(y))
    names = run(e)
    for i, gradient in zip(e.leaves, e.gradients(), strict=True):
        np.testing.assert_array_equal(names[f"x{i}"].grad, gradient)


def test_classes_of_one_name_in_two_modules_are_told_apart(modules):
    sine, cosine = (defined("Wave", base, m) for base, m in zip((ops.Sin, ops.Cos), modules, strict=True))
    e = Expression.trace(sine()(tensor([0.5])) * cosine()(tensor([0.25])))
    names = run(e)
    assert [names[f"x{i}"].grad for i in e.leaves] == list(e.gradients())


class Outer:
    class Sine(ops.Sin):
        pass


def test_a_nested_class_is_written():
    e = Expression.trace(Outer.Sine()(tensor([0.5])))
    np.testing.assert_array_equal(run(e)["x0"].grad, e.gradients()[0])


class Private(Function):
    def __init__(self, w):
        self._w = np.array(w)

    def forward(self, x):
        return variable(self._w @ x.data)

    def backward(self, x, grad):
        x.grad += self._w.T @ grad


class Hidden(Private):
    def __init__(self, matrix):
        super().__init__(matrix)


class Changed(Private):
    def __init__(self, matrix=((1.0, 0.0), (0.0, 1.0))):
        super().__init__(matrix)


def test_a_constructor_argument_that_is_kept_under_a_private_name_is_written():
    e = Expression.trace(Private([[0.0, 1.0], [2.0, 3.0]])(tensor([0.5, 1.0])))
    np.testing.assert_array_equal(run(e)["x0"].grad, e.gradients()[0])


def test_an_op_that_cannot_be_written_is_said_to_be_so():
    x = tensor([0.5, 1.0])
    matrix = [[0.0, 1.0], [2.0, 3.0]]
    text = Expression.trace(Hidden(matrix)(x)).python()
    assert "# Hidden cannot be made again from what is known of it" in text
    assert "\nhidden = ...\n" in text
    assert "# This Changed held _w=array(" in Expression.trace(Changed(matrix)(x)).python()
    assert "#" not in Expression.trace(Changed()(x)).python()


def test_a_class_that_cannot_be_imported_is_said_to_be_so():
    class Local(ops.Sin):
        pass

    text = Expression.trace(Local()(tensor([0.5]))).python()
    assert "Local cannot be imported. Put its definition" in text.replace("\n# ", " ")
    names = {"Local": Local}
    exec(text.replace("Local = ...", ""), names)
    assert names["x0"].grad == np.cos(0.5)
