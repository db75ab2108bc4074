"""An argument that cannot be is refused when the op is made, with its name, its value and what is valid."""

import inspect
import re

import pytest

from adverify import ops
from adverify.discovery import functions_in

REFUSED = [
    (lambda: ops.Sum(axis=1.5), "axis must be an integer; got 1.5"),
    (lambda: ops.Sum(axis=(0, 0)), "axis must not name an axis twice"),
    (lambda: ops.Quantile(1.5), "q must lie between 0 and 1; got 1.5"),
    (lambda: ops.Quantile(method="near"), "method must be one of linear"),
    (lambda: ops.VectorNorm(ord="fro"), "ord must be a number"),
    (lambda: ops.MatrixNorm(ord=3), "ord must be one of 'fro'"),
    (lambda: ops.MatrixNorm(axis=0), "axis must be two axes"),
    (lambda: ops.Norm(3, axis=(0, 1)), "ord must be one of 'fro'"),
    (lambda: ops.Norm("euclidean"), "ord must be a number, 'fro' or 'nuc'; got 'euclidean'"),
    (lambda: ops.Reshape((-1, -1)), "shape must be lengths"),
    (lambda: ops.Reshape(2, order="A"), "order must be 'C' or 'F'"),
    (lambda: ops.Transpose((0, 0)), "axes must not name an axis twice"),
    (lambda: ops.Moveaxis((0, 1), 0), "source and destination must be equally many"),
    (lambda: ops.Pad(1.5), "pad_width must be"),
    (lambda: ops.Pad(mode="mirror"), "mode must be one of constant"),
    (lambda: ops.Getitem([0.5]), "index must hold integers or booleans"),
    (lambda: ops.Take([0.5]), "indices must be integers"),
    (lambda: ops.Take(0, mode="fill"), "mode must be 'raise', 'wrap' or 'clip'"),
    (lambda: ops.Diff(n=-1), "n must not be negative; got -1"),
    (lambda: ops.Rot90(axes=(0, 0)), "axes must be two different axes"),
    (lambda: ops.Repeat(-1), "repeats must not be negative"),
    (lambda: ops.Tile(-1), "reps must not be negative"),
    (lambda: ops.Split(0), "indices_or_sections must be at least 1"),
]


@pytest.mark.parametrize(("make", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises((TypeError, ValueError), match=says):
        make()


@pytest.mark.parametrize("op", list(functions_in(ops)), ids=lambda op: op.__name__)
def test_help_on_a_function_explains_every_argument_of_the_constructor(op):
    function = getattr(ops, ops.__all__[ops.__all__.index(op.__name__) + 1])
    _, _, explained = function.__doc__.partition("Parameters\n----------\n")
    headings = [line for line in explained.splitlines() if not line.startswith(" ")]
    named = re.findall(r"\w+", " ".join(line.partition(" : ")[0] for line in headings))
    assert set(inspect.signature(op).parameters) <= set(named)
