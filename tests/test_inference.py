"""Which shapes ops are found to take, from nothing but calls of their forward."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from adverify.strategies.values import Regime, decode

from adverify import Function, ops, variable
from adverify.directions import room_of
from adverify.domains import Domain, ascending, diagonally_dominant, real
from adverify.inference import infer
from adverify.probing import NothingFits
from adverify.shapes import pattern_of, varied
from adverify.subject import subject_of


class Cell(Function):
    """tanh(x W + h U + b), for inputs that match in every length."""

    def forward(self, x, h, w, u, b):
        (n, i), (m, k) = x.data.shape, h.data.shape
        if n != m or w.data.shape != (i, k) or u.data.shape != (k, k) or b.data.shape != (k,):
            raise ValueError("lengths differ")
        return variable(np.tanh(x.data @ w.data + h.data @ u.data + b.data))

    def backward(self, x, h, w, u, b, grad):
        raise NotImplementedError


class GatedCell(Function):
    """Four gates side by side, so that some axes are four times as long as others."""

    def forward(self, x, h, c, w, u, b):
        (n, i), (m, k) = x.data.shape, h.data.shape
        if n != m or c.data.shape != h.data.shape or w.data.shape != (i, 4 * k):
            raise ValueError("lengths differ")
        if u.data.shape != (k, 4 * k) or b.data.shape != (4 * k,):
            raise ValueError("lengths differ")
        gates = np.split(x.data @ w.data + h.data @ u.data + b.data, 4, axis=1)
        return variable(gates[0] * gates[1] + c.data * gates[2] + gates[3])

    def backward(self, x, h, c, w, u, b, grad):
        raise NotImplementedError


class TwoLayers(Function):
    """Nothing is checked: NumPy's broadcasting decides what is taken."""

    def forward(self, x, w, b, v, c):
        return variable(np.tanh(x.data @ w.data + b.data) @ v.data + c.data)

    def backward(self, x, w, b, v, c, grad):
        raise NotImplementedError


@pytest.mark.parametrize(("op", "arity"), [(Cell, 5), (GatedCell, 6)])
def test_lengths_of_many_inputs_are_told_apart(op, arity):
    (found,) = infer(subject_of(op, {}), arity)
    lengths = {(x[0], x[1], h[1]) for x, h, *_ in found.shapes}
    assert len({tuple(np.argsort(sizes)) for sizes in lengths if len(set(sizes)) == 3}) >= 2
    assert any(1 in sizes for sizes in lengths)


def test_layers_that_check_nothing_are_tried_as_they_are_meant():
    (found,) = infer(subject_of(TwoLayers, {}), 5)
    meant = [s for s in found.shapes if [len(x) for x in s] == [2, 2, 1, 2, 1]]
    assert any(len({*x, *v}) == 4 for x, _, _, v, _ in meant)


class Fused(Function):
    """x y + z, of all that is broadcast."""

    def forward(self, x, y, z):
        return variable(x.data * y.data + z.data)

    def backward(self, x, y, z, grad):
        raise NotImplementedError


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("other", [(1, 1), (1, 3), (2, 1)])
def test_each_of_three_inputs_is_broadcast_in_each_way(place, other):
    (found,) = infer(subject_of(Fused, {}), 3)
    ways = {pattern_of(shapes) for shapes in found.shapes}
    assert pattern_of(tuple(other if i == place else (2, 3) for i in range(3))) in ways


class Scaled(Function):
    """Columns times a factor each, or all times one."""

    def forward(self, x, a):
        if x.data.ndim != 2 or a.data.ndim != 1 or a.data.size not in (1, x.data.shape[1]):
            raise ValueError("a factor for each column, or one")
        return variable(x.data * a.data)

    def backward(self, x, a, grad):
        raise NotImplementedError


def test_what_is_shared_is_met_with_few_rows_and_with_many():
    (found,) = infer(subject_of(Scaled, {}), 2)
    shared = {np.sign(x[0] - x[1]) for x, a in found.shapes if a == (1,) and min(x) > 1}
    assert shared == {-1, 0, 1}


def test_cubes_and_planes_are_tried():
    (found,) = infer(subject_of(ops.Sin, {}), 1)
    assert any(shape in found.shapes for shape in (((2, 2, 2),), ((3, 3, 3),)))
    (found,) = infer(subject_of(ops.Multiply, {}), 2)
    assert pattern_of(((1, 2, 1), (3, 2, 4))) in {pattern_of(shapes) for shapes in found.shapes}


def test_varied_keeps_one_of_each_kind():
    items = list(itertools.product("abc", range(20)))
    kinds = [letter for letter, _ in items]
    for at in range(len(items)):
        chosen = varied(items, kinds, 10, at)
        assert {letter for letter, _ in chosen} == set("abc")
        assert 3 <= len(set(chosen)) == len(chosen) <= 10
    assert varied(items, kinds, 100, 5) == items


def _taking(takes):
    """Make an op of two inputs of certain shapes."""

    class Takes(Function):
        def forward(self, x, y):
            if not takes(x.data.shape, y.data.shape):
                raise ValueError("these shapes do not fit")
            return variable(np.sum(x.data) * y.data)

        def backward(self, x, y, grad):
            raise NotImplementedError

    return Takes


ROW = "a bias that is a row", lambda x, y: len(x) == 2 and y == (1, x[1])
COLUMN = "one scale for each row", lambda x, y: len(x) == 2 and y == (x[0], 1)
CHANNELS = "one scale for each channel", lambda x, y: len(x) == 4 and y == (1, x[1], 1, 1)
EITHER = "a row or a column", lambda x, y: len(x) == 2 and y in ((1, x[1]), (x[0], 1))
VECTOR = "a matrix and a column", lambda x, y: len(x) == 2 and y == (x[1], 1)
IMAGE = "images of one channel", lambda x, y: len(x) == 4 and x[1] == 1 and y == x[2:]


@pytest.mark.parametrize("takes", [pytest.param(t, id=name) for name, t in (ROW, COLUMN, CHANNELS, VECTOR, IMAGE)])
def test_axes_that_go_together_grow_where_others_stay_one(takes):
    (sampling,) = infer(subject_of(_taking(takes), {}), 2)
    assert any(sum(n > 1 for n in x) >= 2 and max(y) > 1 and max(x) != min(x) for x, y in sampling.shapes)
    assert all(takes(*shapes) for shapes in sampling.shapes)


def test_axes_grow_in_either_order():
    (sampling,) = infer(subject_of(_taking(EITHER[1]), {}), 2)
    assert any(y[0] > 1 and x[1] > 1 for x, y in sampling.shapes)
    assert any(y[1] > 1 and x[0] > 1 for x, y in sampling.shapes)


class OnlyLong(Function):
    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 9:
            raise ValueError("the signal is too short")
        return variable(np.cumsum(x.data))

    def backward(self, x, grad):
        raise NotImplementedError


def test_long_inputs_are_tried_where_no_short_ones_fit():
    (sampling,) = infer(subject_of(OnlyLong, {}), 1)
    assert min(s[0] for (s,) in sampling.shapes) >= 9


class ClippedAtTheFirst(Function):
    def forward(self, x):
        return variable(np.minimum(x.data, x.data.flat[0] + 3) if x.data.size else x.data)

    def backward(self, x, grad):
        raise NotImplementedError


class RunningMaximum(Function):
    def forward(self, x):
        return variable(np.maximum.accumulate(np.atleast_1d(x.data), axis=-1).reshape(x.data.shape))

    def backward(self, x, grad):
        raise NotImplementedError


@pytest.mark.parametrize("op", [ClippedAtTheFirst, RunningMaximum])
def test_what_mixes_elements_at_some_values_only_is_not_elementwise(op):
    assert not infer(subject_of(op, {}), 1)[0].elementwise


class LogSoftmaxOfFirstAxis(Function):
    def forward(self, x):
        if x.data.ndim < 1:
            raise ValueError("no axis to normalise")
        shifted = x.data - x.data.max(axis=0, keepdims=True, initial=-np.inf)
        return variable(shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True)))

    def backward(self, x, grad):
        raise NotImplementedError


def test_the_size_of_outputs_is_seen_where_axes_are_longer_than_one():
    assert infer(subject_of(LogSoftmaxOfFirstAxis, {}), 1)[0].scale > 0.1


class Summed(Function):
    def forward(self, x, y, z):
        return variable(x.data + y.data + z.data)

    def backward(self, x, y, z, grad):
        raise NotImplementedError


def test_many_combinations_of_ranks_are_counted_and_not_listed():
    (sampling,) = infer(subject_of(Summed, {}), 3)
    assert re.fullmatch(r"3 inputs of up to 4-d, in \d\d combinations, such as \(.*", str(sampling))
    assert "in 2 combinations" not in str(infer(subject_of(_taking(EITHER[1]), {}), 2)[0])


@pytest.mark.parametrize("shape", [(9,), (4, 3), (7, 5), (5, 4, 3)])
def test_a_shape_that_only_the_op_knows_is_found(shape):
    class OfThisShape(Function):
        def forward(self, x):
            if x.data.shape != shape:
                raise ValueError("expected another")
            return variable(x.data + 1)

        def backward(self, x, grad):
            raise NotImplementedError

    (sampling,) = infer(subject_of(OfThisShape, {}), 1, None, None)
    assert sampling.shapes == ((shape,),)


@pytest.mark.parametrize("lengths", [(4, 3), (1, 3), (6, 3), (4, 3, 3), (3, 3, 1)])
@pytest.mark.parametrize("rows", [(), (2,)])
def test_vectors_of_lengths_that_only_the_op_knows_are_found(lengths, rows):
    class OfTheseLengths(Function):
        def forward(self, *variables):
            for v, n in zip(variables, lengths, strict=True):
                if v.data.ndim != len(rows) + 1 or v.data.shape[-1] != n:
                    raise ValueError("expected others")
            return variable(sum(v.data.sum(axis=-1) for v in variables))

        def backward(self, *variables, grad):
            raise NotImplementedError

    (sampling, *_) = infer(subject_of(OfTheseLengths, {}), len(lengths), None, None)
    assert sampling.shapes
    assert all(tuple(s[-1] for s in shapes) == lengths for shapes in sampling.shapes)


@pytest.mark.parametrize(
    "asked", [((4, 4), (3,)), ((4,), (None, 3)), ((None, 2), (3, 3)), ((2, 3), (None, 2)), ((4,), (3,), (None, 3))]
)
def test_points_are_tried_beside_what_transforms_them(asked):
    def suits(shape, wanted):
        return len(shape) == len(wanted) and all(m in (n, None) for n, m in zip(shape, wanted, strict=True))

    class OfTheseShapes(Function):
        def forward(self, *variables):
            if not all(suits(v.data.shape, wanted) for v, wanted in zip(variables, asked, strict=True)):
                raise ValueError("expected others")
            return variable(sum(v.data.sum() for v in variables))

        def backward(self, *variables, grad):
            raise NotImplementedError

    (sampling, *_) = infer(subject_of(OfTheseShapes, {}), len(asked), None, None)
    free = [i for i, wanted in enumerate(asked) if None in wanted]
    assert all(len({shapes[i] for shapes in sampling.shapes}) > 1 for i in free)


def test_a_bound_at_zero_has_no_sign():
    assert str(Domain(-0.0, 1.0, closed_low=True, closed_high=True)) == "[0, 1]"


class Increasing(Function):
    """Takes what increases along the last axis, within bounds."""

    def __init__(self, low=-np.inf, high=np.inf, least=2):
        self.low, self.high, self.least = low, high, least

    def forward(self, x):
        if x.data.ndim < 1 or x.data.shape[-1] < self.least or not (np.diff(x.data) > 0).all():
            raise ValueError("expected numbers that increase")
        if not ((x.data > self.low) & (x.data < self.high)).all():
            raise ValueError("out of bounds")
        return variable(np.diff(x.data))

    def backward(self, x, grad):
        raise NotImplementedError


@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize(("low", "high"), [(-np.inf, np.inf), (0.0, np.inf), (0.0, 1.0)])
def test_inputs_that_have_to_increase_are_found(low, high, least):
    (sampling,) = infer(subject_of(Increasing, {"low": low, "high": high, "least": least}), 1)
    assert [replace(d, corners=()) for d in sampling.domains] == [Domain(low, high, structure="ascending")]
    assert max(shape[-1] for (shape,) in sampling.shapes) >= 5


class AtKnots(Function):
    def forward(self, x, knots):
        if knots.data.ndim != 1 or knots.data.size < 2 or not (np.diff(knots.data) > 0).all():
            raise ValueError("knots must increase")
        return variable(np.interp(x.data, knots.data, np.sin(knots.data)))

    def backward(self, x, knots, grad):
        raise NotImplementedError


def test_only_the_input_that_has_to_increase_does():
    sampling, *_ = infer(subject_of(AtKnots, {}), 2)
    assert [replace(d, corners=()) for d in sampling.domains] == [real, ascending]


class Diagonal(Function):
    def forward(self, x):
        if x.data.ndim != 2 or not np.array_equal(x.data, np.diag(np.diag(x.data))):
            raise ValueError("expected a diagonal matrix")
        return variable(x.data @ x.data)

    def backward(self, x, grad):
        raise NotImplementedError


def test_what_takes_arrays_of_one_element_only_is_not_known():
    with pytest.raises(NothingFits, match=r"apart from arrays of one element, .*a diagonal matrix"):
        infer(subject_of(Diagonal, {}), 1)


class Between(Function):
    """Where x is between two bounds, as a share."""

    def forward(self, low, x, high):
        if (
            not low.data.shape == x.data.shape == high.data.shape
            or not ((low.data < x.data) & (x.data < high.data)).all()
        ):
            raise ValueError("expected low < x < high")
        return variable((x.data - low.data) / (high.data - low.data))

    def backward(self, low, x, high, grad):
        raise NotImplementedError


def test_inputs_that_are_bound_to_each_other_are_drawn_in_all_shapes_and_elsewhere():
    samplings = infer(subject_of(Between, {}), 3)
    assert all(max(len(s) for s, _, _ in sampling.shapes) >= 3 for sampling in samplings)
    middle = [sampling.domains[1] for sampling in samplings]
    assert any(d.high < -1 for d in middle)
    assert any(d.low > 2 for d in middle)


class EndsAboveItsStart(Function):
    def forward(self, x):
        if x.data.ndim != 1 or x.data.size < 2 or x.data[0] >= x.data[-1]:
            raise ValueError("expected a last element above the first")
        return variable(np.log(x.data[-1] - x.data[0]))

    def backward(self, x, grad):
        raise NotImplementedError


def test_what_is_taken_half_of_the_time_need_not_increase():
    sampling, *_ = infer(subject_of(EndsAboveItsStart, {}), 1)
    assert not sampling.domains[0].structure


class WithinBounds(Function):
    def __init__(self, low=5000, high=5001.5):
        self.low, self.high = low, high

    def forward(self, x):
        if not ((x.data > self.low) & (x.data < self.high)).all():
            raise ValueError("out of bounds")
        return variable(np.log(x.data - self.low))

    def backward(self, x, grad):
        raise NotImplementedError


def test_bounds_that_an_op_holds_are_where_its_domain_is_looked_for():
    sampling, *_ = infer(subject_of(WithinBounds, {}), 1)
    assert (sampling.domains[0].low, sampling.domains[0].high) == (5000, 5001.5)


class Tridiagonal(Function):
    """Solves with a matrix given by its diagonals, of which the middle one has to outweigh the others."""

    def forward(self, lower, middle, upper, b):
        n = middle.data.size
        if (
            middle.data.ndim != 1
            or b.data.shape != (n,)
            or lower.data.shape != (n - 1,)
            or upper.data.shape != (n - 1,)
        ):
            raise ValueError("lengths differ")
        others = np.append(0, np.abs(lower.data)) + np.append(np.abs(upper.data), 0)
        if (np.abs(middle.data) <= 1.05 * others).any():
            raise ValueError("the diagonal is too small")
        return variable(
            np.linalg.solve(np.diag(lower.data, -1) + np.diag(middle.data) + np.diag(upper.data, 1), b.data)
        )

    def backward(self, lower, middle, upper, b, grad):
        raise NotImplementedError


def test_one_of_many_inputs_may_have_to_outweigh_the_others():
    for sampling in infer(subject_of(Tridiagonal, {}), 4):
        assert all(len(shape) == 1 for shapes in sampling.shapes for shape in shapes)
        assert {middle for _, middle, *_ in sampling.shapes} >= {(1,), (2,), (3,), (4,), (6,)}


class Made(Function):
    """A forward, and shapes and values that it asks for."""

    def value(self, *arrays):
        raise NotImplementedError

    def forward(self, x, y):
        return variable(self.value(x.data, y.data))

    def backward(self, x, y, grad):
        raise NotImplementedError


def test_one_number_beside_an_array_far_from_zero_is_found():
    class Excess(Made):
        def value(self, x, p):
            if p.size != 1 or abs(p).max() > 5 or (x <= 100).any():
                raise ValueError("values above 100 and one power are expected")
            return (x - 100) ** p.item()

    (found,) = infer(subject_of(Excess, {}), 2)
    assert found.domains[0].low == 100
    assert {len(p) for x, p in found.shapes if np.prod(x) > 2} == {0, 1, 2}


@pytest.mark.parametrize(("ndim", "number"), [(2, (1,)), (3, (1, 1)), (5, ())])
def test_one_number_beside_arrays_may_have_to_be_of_one_shape(ndim, number):
    class Scaled(Made):
        def value(self, x, scale):
            if x.ndim != ndim or scale.shape != number or x.shape[-1] % 2:
                raise ValueError(f"{ndim} axes, the last of them even, and a number are expected")
            return x * scale

    (found,) = infer(subject_of(Scaled, {}), 2)
    assert len({x for x, _ in found.shapes if np.prod(x) > 1}) > 3


def test_one_of_many_inputs_may_have_to_ascend():
    class Interpolated(Function):
        def forward(self, t, y, w, q):
            if not t.data.shape == y.data.shape == w.data.shape or q.data.ndim != 1 or t.data.ndim != 1:
                raise ValueError("vectors are expected")
            if (np.diff(t.data) < 1e-3).any():
                raise ValueError("knots have to ascend")
            return variable(np.interp(q.data, t.data, y.data * w.data))

        def backward(self, t, y, w, q, grad):
            raise NotImplementedError

    (found,) = infer(subject_of(Interpolated, {}), 4)
    assert found.domains[0].structure == "ascending"


def test_lengths_may_be_products_and_sums_of_others():
    class Weighted(Function):
        def __init__(self, full=0):
            self.full = full

        def forward(self, a, b, s):
            n, m = a.data.size, b.data.size
            length = n + m - 1 if self.full else n * m
            if not a.data.ndim == b.data.ndim == s.data.ndim == 1 or s.data.size != length:
                raise ValueError("lengths differ")
            both = np.convolve(a.data, b.data) if self.full else np.kron(a.data, b.data)
            return variable(both * s.data)

        def backward(self, a, b, s, grad):
            raise NotImplementedError

    (found,) = infer(subject_of(Weighted, {}), 3)
    assert {((2,), (3,), (6,)), ((3,), (2,), (6,))} <= set(found.shapes)
    (found,) = infer(subject_of(Weighted, {"full": 1}), 3)
    assert ((2,), (3,), (4,)) in found.shapes


def test_a_matrix_whose_diagonal_dominates_may_have_a_negative_one():
    class Sweep(Made):
        def value(self, a, b):
            if a.ndim != 2 or a.shape[0] != a.shape[1] or b.shape != a.shape[:1]:
                raise ValueError("a matrix and a vector are expected")
            if (2 * np.abs(np.diag(a)) <= np.abs(a).sum(axis=1)).any():
                raise ValueError("the diagonal is too small")
            return np.linalg.solve(np.tril(a), b)

    (found,) = infer(subject_of(Sweep, {}), 2)
    assert found.domains[0].structure == "diagonally dominant"
    drawn = decode(bytes(range(0, 256, 4)), (4, 4, 4), diagonally_dominant, Regime.SPECIAL)
    assert set(np.sign(np.diagonal(drawn, axis1=-2, axis2=-1)).ravel()) == {-1, 1}


@pytest.mark.parametrize(
    ("subscripts", "batched"),
    [("bnn,bn->bn", ((2, 3, 3), (2, 3))), ("bnn,bnk->bk", ((2, 4, 4), (2, 4, 2))), ("nnc,nc->n", ((3, 3, 2), (3, 2)))],
)
def test_a_batch_of_squares_is_not_always_a_cube(subscripts, batched):
    class Contraction(Made):
        def value(self, a, b):
            operands, sizes = subscripts.split("->")[0].split(","), {}
            for axes, x in zip(operands, (a, b), strict=True):
                if len(axes) != x.ndim or any(sizes.setdefault(c, n) != n for c, n in zip(axes, x.shape, strict=True)):
                    raise ValueError(f"{subscripts} is expected")
            return np.einsum(subscripts, a, b)

    (found,) = infer(subject_of(Contraction, {}), 2)
    assert batched in found.shapes


@pytest.mark.parametrize(("triangle", "structure"), [(np.tril, "lower triangular"), (np.triu, "upper triangular")])
def test_a_matrix_may_have_to_be_triangular(triangle, structure):
    class Substitution(Made):
        def value(self, a, b):
            if a.ndim < 2 or a.shape[-1] != a.shape[-2] or b.shape != a.shape[:-1]:
                raise ValueError("matrices and vectors are expected")
            if (triangle(a) != a).any() or (np.diagonal(a, axis1=-2, axis2=-1) == 0).any():
                raise ValueError("a triangle is expected")
            return np.linalg.solve(a, b[..., None])[..., 0]

    (found,) = infer(subject_of(Substitution, {}), 2)
    assert [d.structure for d in found.domains] == [structure, ""]
    assert {((3, 3), (3,)), ((2, 3, 3), (2, 3))} <= set(found.shapes)


@pytest.mark.parametrize("structure", ["lower triangular", "upper triangular"])
def test_a_triangle_is_drawn_without_zeros_on_its_diagonal_and_moves_within_itself(structure):
    domain = Domain(structure=structure)
    drawn = decode(bytes(range(32)), (2, 4, 4), domain, Regime.SPECIAL)
    within = np.tril(np.ones((4, 4))) if structure == "lower triangular" else np.triu(np.ones((4, 4)))
    assert np.diagonal(drawn, axis1=-2, axis2=-1).all()
    assert not drawn[:, within == 0].any()
    assert ((room_of(drawn, domain) > 0) == within).all()


@pytest.mark.parametrize(("most", "homogeneous"), [(np.inf, True), (2.0, False)])
def test_inputs_that_are_bound_to_each_other_may_be_scaled_together(most, homogeneous):
    class Leg(Made):
        def value(self, x, y):
            if x.shape != y.shape or (np.abs(x) >= y).any() or (y > most).any():
                raise ValueError("|x| < y is expected")
            return y * np.sqrt(1 - (x / y) ** 2)

    found, *_ = infer(subject_of(Leg, {}), 2)
    assert found.homogeneous == homogeneous


class Triangle(Made):
    """The area of triangles, of three sides."""

    def forward(self, a, b, c):
        sides = np.stack([a.data, b.data, c.data])
        if (2 * sides >= sides.sum(axis=0)).any():
            raise ValueError("each side is shorter than the others together")
        return variable(np.sqrt(np.prod(sides.sum(axis=0) - 2 * sides, axis=0) * sides.sum(axis=0)) / 4)


class Roots(Made):
    """The larger root of a quadratic equation, whichever way its parabola opens."""

    def forward(self, a, b, c):
        discriminant = b.data**2 - 4 * a.data * c.data
        if (np.abs(a.data) < 1e-6).any() or (discriminant <= 1e-6).any():
            raise ValueError("two roots are expected")
        return variable((np.sqrt(discriminant) * np.sign(a.data) - b.data) / (2 * a.data))


@pytest.mark.parametrize("op", [Triangle, Roots])
def test_what_is_taken_of_an_input_may_depend_on_the_others(op):
    *_, found = infer(subject_of(op, {}), 3)
    a, b, c = found.together.T
    if op is Triangle:
        assert (a**2 > b**2 + c**2).any()  # an obtuse angle
        assert (a**2 < b**2 + c**2).any()
    else:
        assert {(x, y) for x, y in zip(np.sign(a), np.sign(c), strict=True)} >= {(1, 1), (1, -1), (-1, 1), (-1, -1)}
    assert {len(s) for s, *_ in found.shapes} == {0, 1, 2, 3}


class LogOfTheRest(Made):
    """What is left of c by two parts: of few values that chance suits, and those of one length."""

    def forward(self, a, b, c):
        a, b, c = (x.data for x in (a, b, c))
        if not a.shape == b.shape == c.shape or (np.minimum(a, b) <= 0).any() or (a + b >= c).any():
            raise ValueError("parts of c are expected")
        return variable(a / (a + b) * np.log(c - a - b))


def test_what_is_taken_together_does_not_depend_on_the_shapes_that_chance_suits():
    *_, found = infer(subject_of(LogOfTheRest, {}), 3)
    assert {len(s) for s, *_ in found.shapes} == {0, 1, 2, 3}
    a, b, _ = found.together.T
    assert (a > 20 * b).any()
    assert (b > 20 * a).any()


class LogOfTheRestOfOne(Made):
    """What four parts leave of 1."""

    def forward(self, a, b, c, d):
        parts = [x.data for x in (a, b, c, d)]
        if len({x.shape for x in parts}) > 1 or min(x.min(initial=1.0) for x in parts) <= 0 or (sum(parts) >= 1).any():
            raise ValueError("parts of 1 are expected")
        return variable(np.log(1 - sum(parts)))


class WithinTwoOthers(Made):
    """Where x and y are between two numbers, of which one is the larger, and all are positive."""

    def forward(self, low, x, y, high):
        low, x, y, high = (a.data for a in (low, x, y, high))
        if not low.shape == x.shape == y.shape == high.shape:
            raise ValueError("one shape is expected")
        if not (low < np.minimum(x, y)).all() or not (np.maximum(x, y) < high).all() or (low <= 0).any():
            raise ValueError("x and y are expected in between")
        return variable((x - low) / (high - low) * (y - low))


def test_values_that_suit_together_by_chance_are_a_place_to_start_from():
    *_, found = infer(subject_of(WithinTwoOthers, {}), 4)
    assert {len(s) for s, *_ in found.shapes} == {0, 1, 2, 3}
    _, x, y, _ = found.together.T
    assert 0.2 < (x < y).mean() < 0.8


def test_of_what_is_taken_together_corners_are_reached():
    *_, found = infer(subject_of(LogOfTheRestOfOne, {}), 4)
    assert ((found.together > 0.7).mean(axis=0) > 0.01).all()


@pytest.mark.parametrize("op", [ops.Multiply, ops.Divide, ops.Arctan2, ops.Hypot])
def test_where_domains_say_what_is_taken_nothing_else_is_looked_for(op):
    assert all(found.together is None and not found.homogeneous for found in infer(subject_of(op, {}), 2))
