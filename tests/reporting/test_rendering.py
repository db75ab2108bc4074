"""What a failure looks like: in plain text, in a terminal of any width, and inside pytest's own output."""

import io
import sys
import textwrap

import numpy as np
import pytest
from rich.console import Console

from adverify import Function, VerificationError, check_case, terminal, variable
from tests.reporting.hostile import all_reports, report

HOSTILE = all_reports()
WIDTHS = (40, 60, 100, 160)


def shown(report, width, encoding="utf-8", **how):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=file, width=width, highlight=False, **how)
    terminal.show(report, console)
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_line_fits_the_terminal(name, width):
    text = shown(HOSTILE[name], width)
    assert max(len(line) for line in text.splitlines()) <= width or "not ASCII" in name  # wide characters take two
    assert len(text) < 60_000


@pytest.mark.parametrize("name", HOSTILE)
def test_plain_text_is_short_and_obeys_nothing(name):
    text = str(HOSTILE[name])
    assert len(text) < 60_000
    assert all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize("name", HOSTILE)
def test_without_a_terminal_there_is_no_escape_sequence(name):
    assert "\x1b" not in shown(HOSTILE[name], 80)


def test_control_characters_do_not_reach_a_terminal():
    text = shown(HOSTILE["control characters"], 80, force_terminal=True)
    assert "\x1b[2J" not in text
    assert "\x07" not in text
    assert r"\x1b[2J" in text


def test_a_name_is_shown_as_it_is():
    assert "FAILED <script>" in shown(HOSTILE["a name like a tag"], 80)
    assert "FAILED [bold red]X[/bold red]" in shown(HOSTILE["a name like markup"], 80)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("name", ["a name that is not ASCII", "a reason that is not ASCII"])
def test_any_encoding_will_do(name, encoding):
    text = shown(HOSTILE[name], 80, encoding)
    assert ("梯度" if encoding == "utf-8" else "\\u68af") in text


@pytest.mark.parametrize(("variables", "terminal_is"), [({}, True), ({"NO_COLOR": "1"}, False), ({"CI": "true"}, False),
                                                        ({"CI": "true", "FORCE_COLOR": "1"}, True)])  # fmt: skip
def test_colour_follows_the_environment(variables, terminal_is, monkeypatch):
    for name in ("NO_COLOR", "CI", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert terminal.console().is_terminal == terminal_is


def test_wrong_elements_are_marked_and_a_large_array_is_shown_around_them():
    expected = np.zeros((50, 60))
    actual = expected.copy()
    actual[31, 47] = 7.5
    text = shown(report(np.ones((50, 60)), expected, actual), 100)
    assert "x.grad  1 of 3000 wrong" in text
    assert text.count("7.5*") == 1
    assert "[25:37, 46:49]" in text


def test_numbers_that_print_alike_get_more_digits():
    text = shown(HOSTILE["alike but for the last digits"], 100)
    assert "1.00000001*" in text


def test_the_most_telling_comes_first():
    text = shown(report([1.0, 2.0], diagnosis="x.grad is 1 / 2 times what it should be"), 100)
    order = ["FAILED Wrong  somewhere.py:1", "gradient: backward gives", "x.grad is wrong", "diagnosis: x.grad is",
             "x.grad  2 of 2 wrong, error bar 1e-09", "Falsifying example", "import numpy", "To ask this again",
             "check_case("]  # fmt: skip
    at = [text.index(part) for part in order]
    assert at == sorted(at)


def test_a_command_that_replays_takes_the_place_of_the_call():
    text = shown_with_replay(report([1.0]), "adverify replay m:Wrong")
    assert "Replay: adverify replay m:Wrong" in text
    assert "To ask this again" not in text


def shown_with_replay(failed, command):
    file = io.StringIO()
    terminal.show(failed, Console(file=file, width=100), command)
    return file.getvalue()


class Doubled(Function):
    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad += 2 * grad * np.cos(x.data)


def test_the_example_that_is_printed_runs_and_shows_the_failure():
    with pytest.raises(VerificationError) as caught:
        check_case(Doubled, [[0.5, 1.0]], seed=1)
    text = str(caught.value)
    code = textwrap.dedent(text.split("Falsifying example:\n")[1].split("\nx.grad (")[0])
    again = textwrap.dedent(text.split("To ask this again:\n")[1])
    names = {}
    exec(code, names)
    assert not np.allclose(names["x"].grad, names["op"].forward(names["x"]).data)
    with pytest.raises(VerificationError, match="2 times what it should be"):
        exec(again, names)


IN_PYTEST = """
import numpy as np
from adverify import Function, check_function, variable

class Doubled(Function):
    def forward(self, x):
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        x.grad += 2 * grad * np.cos(x.data)

def checked(op):
    check_function(op, max_examples=5)

def test_directly():
    check_function(Doubled, max_examples=5)

def test_through_a_helper():
    checked(Doubled)
"""


@pytest.fixture
def in_pytest(tmp_path, capfd, monkeypatch):
    (tmp_path / "test_of_a_user.py").write_text(IN_PYTEST)
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    monkeypatch.delenv("CI", raising=False)  # with it pytest repeats messages in its summary

    def run(*options):
        capfd.readouterr()
        pytest.main(
            ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--rootdir", str(tmp_path), *options, str(tmp_path)]
        )
        sys.modules.pop("test_of_a_user", None)
        return capfd.readouterr().out

    return run


def test_pytest_shows_the_report_and_no_frame_of_the_verifier(in_pytest):
    text = in_pytest("--tb=long")
    assert "2 failed" in text
    assert text.count("diagnosis: x.grad is 2 times what it should be") == 2
    assert "Falsifying example" in text
    frames = [line for line in text.splitlines() if not line.startswith("E ")]
    assert not [line for line in frames if "check.py" in line or "search.py" in line or "report.py" in line]
    assert [line for line in frames if "test_of_a_user.py:" in line]


def test_pytest_shows_all_frames_if_asked(in_pytest):
    assert "check.py" in in_pytest("--full-trace", "-k", "directly")
