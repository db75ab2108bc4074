"""The command line, as a new user meets it in a directory of their own."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

import adverify
from adverify.cli import app
from adverify.cli.exit_codes import ExitCode
from adverify.cli.formats import Format
from adverify.cli.options import number_of
from adverify.diagnosis.base import kinds
from adverify.properties import all_properties
from adverify.renderers import names

OPS = """
import os
import sys

import numpy as np

from adverify import Function, variable

print("printed when it is imported")


class Sine(Function):
    def forward(self, x):
        print("printed by forward")
        os.write(1, b"printed past Python")
        return variable(np.sin(x.data))

    def backward(self, x, grad):
        print("printed by backward", file=sys.stderr)
        x.grad += grad * np.cos(x.data)


class WrongSquare(Function):
    arguments = {"sign": [1.0, -1.0]}

    def __init__(self, sign):
        self.sign = sign

    def forward(self, x):
        return variable(self.sign * x.data**2)

    def backward(self, x, grad):
        x.grad += grad * x.data * self.sign


class Noise(Function):
    def forward(self, x):
        return variable(np.modf(np.sin(1e13 * x.data) * 1e5)[0])

    def backward(self, x, grad):
        x.grad += grad


class Waits(Function):
    def forward(self, x):
        return variable(2 * x.data)

    def backward(self, x, grad):
        while True:
            pass


class WaitsInC(Waits):
    def backward(self, x, grad):
        sum(iter(int, 1))


class Leaves(Waits):
    def backward(self, x, grad):
        os._exit(0)
"""
CHEAP = [f"--exclude={p.name}" for p in all_properties() if not p.judges_gradients] + ["--max-examples=5"]
TIME = ["--time-limit=1"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Go to a directory with a module of ops."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / "myops.py").write_text(OPS)
    return tmp_path


@pytest.fixture
def run(here):
    """Give a function that runs a command in this process, its workers apart."""

    def invoke(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return invoke


def written(directory):
    """Name what is in a directory but for what belongs to the user."""
    return sorted(set(os.listdir(directory)) - {"myops.py"})


def test_each_op_is_told_whatever_it_does_to_its_process(here):
    command = [sys.executable, "-m", "adverify", "check", "myops", *CHEAP, *TIME, "--seed=1", "-n2"]
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=here, env=usual, capture_output=True, text=True, timeout=120)
    said = {line.split(": ")[0]: line for line in done.stdout.partition("───")[0].splitlines()}
    assert done.returncode == ExitCode.WRONG, done.stdout + done.stderr
    assert done.stderr == ""
    assert "printed" not in done.stdout
    assert set(said) == {f"myops:{name}" for name in ("Sine", "WrongSquare", "Noise", "Waits", "WaitsInC", "Leaves")}
    assert "verified on" in said["myops:Sine"]
    assert "wrong gradient: x.grad" in said["myops:WrongSquare"]
    assert "not verified: at ordinary values" in said["myops:Noise"]
    assert "a call of backward with inputs of shape" in said["myops:Waits"]
    assert "took longer than 1 second" in said["myops:Waits"]
    assert re.search(r"nothing could interrupt it at .*myops.py:\d+ in backward", said["myops:WaitsInC"])
    assert "crashed: its process exited with code 0" in said["myops:Leaves"]
    assert "Falsifying example" in done.stdout
    assert "6 ops: 1 verified, 1 wrong, 3 undecided, 1 crashed (seed 1)" in done.stdout
    assert written(here) == [".adverify"]
    assert (here / ".adverify" / ".gitignore").read_text() == "*\n"


def test_a_failure_is_stored_replayed_and_gone_when_it_is_mended(run, here):
    assert run("check", "myops.py:WrongSquare", *CHEAP).exit_code == ExitCode.WRONG
    again = run("replay", "-n1")
    assert again.exit_code == ExitCode.WRONG
    assert re.match(r"myops.py:WrongSquare: gradient: still fails\n1 stored failure, 1 still there", again.stdout)
    assert "0 stored failures" in run("replay", "other.py").stdout
    (here / "myops.py").write_text(OPS.replace("grad * x.data * self.sign", "2 * grad * x.data * self.sign"))
    mended = run("replay", "--forget", "-n1")
    assert mended.exit_code == ExitCode.VERIFIED
    assert "myops.py:WrongSquare: gradient: holds now" in mended.stdout
    assert run("replay").stdout == "0 stored failures, 0 still there\n"


def test_a_failure_of_an_op_that_is_gone_is_told_and_forgotten_when_asked(run, here):
    run("check", "myops.py:WrongSquare", *CHEAP)
    (here / "myops.py").write_text(OPS.replace("class WrongSquare", "class Square"))
    gone = run("replay", "--forget")
    assert gone.exit_code == ExitCode.UNDECIDED
    assert "cannot be asked any more: " in gone.stdout
    assert "has no 'WrongSquare'; did you mean Square?" in gone.stdout
    assert run("replay").exit_code == ExitCode.VERIFIED


@pytest.mark.parametrize("place", ["file", "nothing"])
def test_what_cannot_be_stored_changes_neither_verdict_nor_exit_code(run, here, place):
    if place == "file":
        (here / ".adverify").write_text("mine")
    result = run("check", "myops.py:WrongSquare", *CHEAP)
    assert result.exit_code == ExitCode.WRONG
    assert "wrong gradient" in result.stdout
    assert written(here) == [".adverify"]
    if place == "file":
        assert "warning: nothing can be stored" in result.stderr
        assert (here / ".adverify").read_text() == "mine"
    else:
        assert result.stderr == ""


def test_a_run_is_had_again_in_any_format(run, here):
    made = run("check", "myops.py", "-k", ":sine", *CHEAP, "--format=json", "--seed=3")
    assert made.exit_code == ExitCode.VERIFIED
    document = json.loads(made.stdout)
    assert [r["status"] for r in document["reports"]] == ["verified"]
    assert document["settings"]["seed"] == 3
    assert "verified on" in made.stderr
    assert json.loads(run("report", "--format=json").stdout) == document
    assert run("report").stdout.startswith("myops:Sine: verified on")
    assert run("report", "--format=json", "-o", "run.json").stdout == ""
    assert run("report", "run.json").stdout == run("report").stdout
    assert "there is no run '1999'; there are 2" in run("report", "1999").stderr
    assert "this is no JSON" in run("report", "myops.py").stderr


def test_a_crash_is_shown_in_every_format(run):
    done = run("check", "myops.py:Leaves", *CHEAP, "--format=json")
    assert done.exit_code == ExitCode.WRONG
    (report,) = json.loads(done.stdout)["reports"]
    assert report["status"] == "crashed"
    assert report["obstacle"] == "its process exited with code 0"
    assert set(Format) == {"text", "json", *names()}
    for format in names():
        shown = run("report", f"--format={format}")
        assert shown.exit_code == 0, shown.output
        assert "Leaves" in shown.stdout
        assert "crashed" in shown.stdout


SETTINGS = """
[tool.adverify]
targets = ["myops.py"]
max_examples = 5
exclude = ["layout"]

[tool.adverify.xfail]
WrongSquare = "not yet mended"
"Sine::purity" = "was impure once"

[tool.adverify.skip]
"""


def test_what_pyproject_says_holds_in_the_whole_project(run, here, monkeypatch):
    skips = "".join(f'{name} = "hopeless"\n' for name in ("Noise", "Waits", "WaitsInC", "Leaves"))
    (here / "pyproject.toml").write_text(SETTINGS + skips)
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    result = run("check")
    assert result.exit_code == ExitCode.UNDECIDED, result.output
    assert "myops.py:Leaves: skipped: hopeless" in result.stdout
    assert "myops.py:WrongSquare: fails as expected: gradient: not yet mended" in result.stdout
    assert "it was expected to be wrong (was impure once), and is not: take it out of xfail" in result.stdout
    assert "6 ops: 1 undecided, 1 fails as expected, 4 skipped" in result.stdout
    assert written(here / "below") == []
    assert run("check", "../myops.py:WrongSquare").exit_code == ExitCode.VERIFIED
    assert run("check", "../myops.py:Leaves").exit_code == ExitCode.UNDECIDED
    (here / "pyproject.toml").write_text(SETTINGS + skips + '"Nois::purity" = "renamed since"\n')
    refused = run("list")
    assert refused.exit_code == ExitCode.USAGE
    assert "skip names 'Nois::purity', and no op of `targets` is called 'Nois'; did you mean 'Noise'?" in refused.stderr
    (here / "pyproject.toml").write_text("[tool.adverify]\ntargtes = []")
    refused = run("check")
    assert refused.exit_code == ExitCode.USAGE
    assert "[tool.adverify] has no key 'targtes'; did you mean 'targets'?" in refused.stderr


def test_a_test_is_written_when_asked_and_none_is_overwritten(run, here):
    assert "which fails as long as" in run("check", "myops.py:WrongSquare", *CHEAP, "--write-test=.").stdout
    test = here / "test_wrong_square.py"
    assert "from myops import WrongSquare\n" in test.read_text()
    test.write_text("edited")
    again = run("check", "myops.py:WrongSquare", *CHEAP, "--write-test=.")
    assert again.exit_code == ExitCode.WRONG
    assert "test_wrong_square.py is there already, and is left as it is" in again.stderr
    assert test.read_text() == "edited"


def test_fuzzing_ends_when_time_is_up(run):
    start = time.monotonic()
    result = run("fuzz", "myops.py:Sine", "--time=4s", *CHEAP[:-1])
    assert time.monotonic() - start < 60
    tried = ExitCode.UNDECIDED if "not tried" in result.stdout else ExitCode.VERIFIED
    assert result.exit_code == tried, result.output
    assert re.search(r"1 op, \d+ rounds?: [\d,]+ cases \([\d,]+ per second\), \d+ undecided, 0 wrong", result.stdout)


def test_fuzzing_ends_when_something_fails(run):
    start = time.monotonic()
    result = run("fuzz", "myops.py", "-kwrong", "--time=10m", *CHEAP[:-1])
    assert time.monotonic() - start < 60
    assert result.exit_code == ExitCode.WRONG
    assert re.search(r"FAILED WrongSquare\s.*gradient: backward gives .* 1 wrong \(seed", result.stdout, re.DOTALL)


@pytest.mark.parametrize("command", ["fuzz", "check"])
def test_ctrl_c_ends_it_with_the_report_of_what_was_done(here, command):
    target = ["myops.py", "--time-limit=60", "-kwaits"] if command == "check" else ["myops.py:Sine", "--time=10m"]
    process = subprocess.Popen(
        [sys.executable, "-m", "adverify", command, *target, *CHEAP[:-1], "-n1"],
        cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell has what it puts behind ignore it
    )  # fmt: skip
    while not (here / ".adverify" / "tmp").exists():  # made when the first op is asked
        time.sleep(0.1)
        assert process.poll() is None
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=20)
    tried = ExitCode.UNDECIDED if "not tried" in stdout else ExitCode.VERIFIED
    assert process.returncode == (ExitCode.INTERRUPTED if command == "check" else tried), stdout + stderr
    assert "Traceback" not in stdout + stderr
    assert re.search(r"op.*seed \d+", stdout)
    assert "interrupted" in stdout
    assert len(list((here / ".adverify" / "runs").iterdir())) == 1


def test_what_would_be_checked_is_listed(run):
    result = run("list", "myops.py", "-k", "square", "-n1")
    assert result.exit_code == ExitCode.VERIFIED
    assert result.stdout.startswith("myops.py:WrongSquare\n    1 input of 0-d; 1-d; 2-d")
    assert "values: real (WrongSquare(sign=-1.0))" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check"], "nothing to check: name a module, a package or a file, such as `adverify check mypackage.ops`"),
        (["check", "myops.py", "-k", "cosine"], "-k 'cosine' leaves none of Sine, WrongSquare, Noise, Waits, WaitsInC"),
        (["check", "nowhere.py"], "there is no file"),
        (["check", "nowhere.py", "myops:Sin"], "myops has no 'Sin'; did you mean Sine?"),
        (["check", "myops", "--exclude=gradent"], "there is no property 'gradent'; did you mean 'gradient'?"),
        (["check", "myops", "-n", "many"], "'many' is neither a positive number nor 'auto'"),
        (["check", "myops", "--max-examples=0"], "Invalid value for '--max-examples'"),
        (["check", "myops", "--output=no/such/file"], "no/such/file cannot be written: there is no directory no/such"),
        (["check", "os"], "os defines no ops, and a check that tried nothing fails"),
        (["fuzz", "myops", "--time=soon"], "'soon' is no duration; write 30s, 10m or 1h30m"),
        (["explain", "gradiant"], "there is no property or diagnosis 'gradiant'; did you mean 'gradient'?"),
        (["report"], "no run is stored here; `adverify check` stores one"),
        (["chek"], "No such command 'chek'"),
    ],
)
def test_usage_errors_say_what_to_do(run, here, arguments, said):
    result = run(*arguments)
    assert result.exit_code == ExitCode.USAGE
    assert said in " ".join(re.sub("[│╭╮╰╯─]", " ", result.stderr).split())
    assert not (here / ".adverify" / "runs").exists()


@pytest.mark.parametrize("prop", all_properties(), ids=lambda p: p.name)
def test_every_property_is_explained_with_an_op_that_breaks_it(run, prop):
    result = run("explain", prop.name)
    assert result.exit_code == 0
    assert prop.rule in result.stdout
    assert "(Function):\n" in result.stdout
    assert "def backward" in result.stdout
    assert ">>>" not in result.stdout
    assert f"{prop.name} " in run("explain").stdout


def test_every_diagnosis_is_explained(run):
    every = run("explain").stdout
    for kind in kinds():
        assert f"    {kind} " in every
        said = run("explain", kind).stdout
        assert re.search(rf"The diagnosis {kind}: \w.*\. It may explain a failure of \w+", said, re.DOTALL), said
        assert "class Op(Function):\n" in said


def test_help_and_version(run):
    assert adverify.__name__ in run("--version").stdout
    for command in ("check", "list", "fuzz", "replay", "report", "explain"):
        assert command in run("--help").stdout
        said = run(command, "--help").stdout
        assert f"adverify {command}" in said
        assert "Examples" in said


def test_numbers_of_processes():
    assert number_of("3") == 3
    assert number_of("auto") >= 1


def test_the_reference_is_that_of_the_commands():
    make = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "make_cli_reference.py"))
    assert make["PAGE"].read_text() == make["rendered"](), "run python docs/make_cli_reference.py"
    assert set(make["CODES"]) == set(ExitCode)
