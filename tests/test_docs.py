"""The reference is that of the code which is there."""

import runpy
from pathlib import Path

import pytest

from adverify import Domain, Function, ops, variable
from adverify.discovery import functions_in

make = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "make_op_table.py"))


def test_the_table_of_ops_is_up_to_date():
    page = make["TABLE"].read_text()
    table = make["read"](page)
    hint = "run python docs/make_op_table.py --quick"
    assert set(table.statuses) == {op.__name__ for op in functions_in(ops)}, hint
    assert page == make["render"](table), hint


def test_every_op_of_the_table_is_verified():
    table = make["read"](make["TABLE"].read_text())
    assert {name: s.verdict for name, s in table.statuses.items() if s.verdict != "verified"} == {}


def test_a_quick_run_verifies_what_the_table_lacks():
    class Double(Function):
        """2 x."""

        def forward(self, x):
            return variable(2 * x.data)

        def backward(self, x, grad):
            x.grad += 3 * grad

    known = make["Status"]("verified", "9", "0", "1e-09")
    table = make["completed"](make["Table"]("Last run: then.", {"Add": known, "Gone": known}), [ops.Add, Double])
    assert table.run == "Last run: then."
    assert table.statuses["Add"] is known
    assert table.statuses["Double"].verdict == "violates gradient"
    assert "Gone" not in table.statuses


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (Domain(), "all reals"),
        (Domain(low=0.0), "above 0"),
        (Domain(low=-1.0, high=1.0, closed_low=True), "at least -1 and below 1"),
        (Domain(without=(0.0,)), "all reals but 0"),
        (Domain(without=tuple(range(9))), "all reals but 0, 1, 2, ..., 8"),
        (Domain(structure="positive definite"), "symmetric positive definite matrices"),
        (Domain(low=0.0, structure="symmetric"), "symmetric matrices, above 0"),
    ],
)
def test_domains_in_words(domain, words):
    assert make["in_words"](domain) == words


def test_what_is_computed_and_what_holds_where_there_is_no_derivative_are_told_apart():
    class Example(Function):
        """The larger; a tie is shared; NaN if one is NaN.

        What it is for. It jumps nowhere, at 0 too.

        Parameters
        ----------
        ties : int
        """

    computes, convention = make["description"](Example)
    assert computes == "The larger; NaN if one is NaN"
    assert convention == "A tie is shared. It jumps nowhere, at 0 too."


def test_the_guide_to_reports_runs(tmp_path, monkeypatch):
    guide = (Path(__file__).parent.parent / "docs" / "how-to" / "read-a-report.md").read_text()
    program = guide.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(program, {})
    assert "all 2 ops verified" in Path("run.html").read_text()
