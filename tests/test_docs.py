"""What the pages say is so: their code runs, what they show is what happens, and their reference is of this code."""

import re
import runpy
from pathlib import Path

import pytest
from hypothesis import settings

import adverify
from adverify import Domain, Function, domains, ops, strategies, variable
from adverify.discovery import functions_in

ROOT = Path(__file__).parent.parent
make = runpy.run_path(str(ROOT / "docs" / "make_op_table.py"))
run = runpy.run_path(str(ROOT / "docs" / "run_blocks.py"))
PAGES = [p for p in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]) if run["blocks_of"](p.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_is_what_happens(page):
    before = settings.get_current_profile_name()
    settings.load_profile("docs")
    try:
        found = list(run["differences"](page))
    finally:
        settings.load_profile(before)
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("command", run["ELSEWHERE"])
def test_a_command_that_is_not_run_here_is_run_elsewhere(command):
    file, words = run["ELSEWHERE"][command]
    assert all(w in (ROOT / file).read_text() for w in words)
    assert any(command in page.read_text() for page in PAGES)


def test_a_page_that_shows_what_does_not_happen_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```console\n$ echo 4\n5\n```\n")
    assert [(d.shown, d.happens) for d in run["differences"](page)] == [("3\n", "2\n"), ("5\n", "4\n")]


def test_output_that_a_page_does_not_show_and_commands_that_fail_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\n1 / 0\n```\n\nWords.\n\n```text\n0\n```\n\n```console\n$ exit 3\n```\n")
    assert [d.happens for d in run["differences"](page)] == ["ZeroDivisionError: division by zero", "exit code 3\n"]


@pytest.mark.parametrize("script", ["make_property_table.py", "make_diagnosis_table.py", "make_settings_reference.py"])
def test_a_page_that_is_written_by_a_script_is_up_to_date(script):
    written = runpy.run_path(str(ROOT / "docs" / script))
    assert written["PAGE"].read_text() == written["render"](), f"run python docs/{script}"


PUBLIC = [
    *adverify.__all__,
    *strategies.__all__,
    *(name for name, value in vars(domains).items() if isinstance(value, Domain)),
    *(name for name, value in vars(domains).items() if callable(value) and value.__module__ == domains.__name__),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_in_the_reference(name):
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert re.search(rf"^( +|\.\. auto\w+:: |\.\. data:: )(adverify\.)?{name}$", page, re.MULTILINE)


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
