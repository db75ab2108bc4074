"""The benchmark by mutation counts what it should: mutants that differ from their op, found or not."""

import pytest

from benchmarks.mutation import MUTATIONS, OPS, judged, mutant_of


@pytest.mark.parametrize(
    ("op", "mutation"),
    [
        ("Sum", "at inputs 1e-3 off"),
        ("Floor", "doubled"),
        ("Add", "swapped with the next input's"),
        ("Exp", "swapped with the next input's"),
        ("Relu", "zero where the input is negative"),
    ],
)
def test_a_mutant_that_is_the_op_is_equivalent(op, mutation):
    assert judged(op, mutation, 0, 10).verdict == "equivalent"


@pytest.mark.parametrize(
    ("op", "mutation"),
    [
        ("Sin", "scaled by 1 + 1e-5"),
        ("Subtract", "swapped with the next input's"),
        ("Matmul", "for the cotangent's mean"),
        ("Relu", "NaN where the input is zero"),
        ("Floor", "written over what is there"),
        ("Exp", "cotangent changed"),
    ],
)
def test_a_mutant_that_differs_is_found(op, mutation):
    assert judged(op, mutation, 0, 20).verdict == "found"


def test_a_mutant_keeps_what_its_op_declares():
    mutant = mutant_of(OPS["Log"], MUTATIONS["doubled"], 0)
    assert mutant.domain == OPS["Log"].domain
    assert mutant.__name__ == "Log"
