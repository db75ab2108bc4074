"""forward gives what NumPy, SciPy or the published definition gives."""

import numpy as np
import pytest

from adverify import ops, variable
from adverify.discovery import functions_in
from tests.ops.references import BINARY, OTHERS, UNARY
from tests.ops.references.samples import some


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


@pytest.mark.parametrize("op", [op for op, _ in BINARY], ids=lambda op: op.__name__)
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
    assert op in tested, f"add {op.__name__} to tests/ops/references, with what it should equal"
