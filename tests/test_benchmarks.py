"""The benchmark by mutation counts what it should: mutants that differ from their op, found or not."""

import pytest

import benchmarks.engine
import benchmarks.verdicts
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


def test_the_engine_computes_what_is_written_by_hand(monkeypatch):
    monkeypatch.setattr(benchmarks.engine, "with_peers", lambda makers: {})
    for steps in (benchmarks.engine.network_steps(4), benchmarks.engine.scalar_steps(5)):
        assert benchmarks.engine.agree(steps) > 0


def test_contenders_that_compute_something_else_are_not_timed():
    with pytest.raises(AssertionError, match="doubled computes something else"):
        benchmarks.engine.agree({"NumPy by hand": lambda: [1.0], "doubled": lambda: [2.0]})


def test_an_error_above_the_resolution_is_found_and_none_where_there_is_none():
    assert benchmarks.verdicts.ours_finds(1e-5, 0)
    assert not benchmarks.verdicts.ours_finds(0.0, 0)
