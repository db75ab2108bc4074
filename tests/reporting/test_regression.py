"""Regression tests that are written: they fail while the op is wrong, and pass once it is mended."""

import ast
import sys

import numpy as np
import pytest

from adverify import Failure, Function, VerificationError, check_case, regression, variable
from tests.reporting.hostile import all_reports, report

HOSTILE = all_reports()

OPS = """
import numpy as np
from adverify import Function, variable


class Sums(Function):
    def __init__(self, axis, scale=1.0):
        self.axis, self.scale = axis, scale

    def forward(self, x):
        return variable(self.scale * x.data.sum(self.axis))

    def backward(self, x, grad):
        x.grad += WRONG * self.scale * np.expand_dims(grad, self.axis)


class Outer:
    class Keeps(Function):
        def forward(self, x):
            self.kept = np.exp(x.data)
            return variable(1.0 * self.kept)

        def backward(self, x, grad):
            x.grad += grad * (self.kept if WRONG == 2 else np.exp(x.data))


class Empty(Function):
    def forward(self, x):
        return variable(2 * x.data)

    def backward(self, x, grad):
        x.grad += 2 * (grad.reshape(-1, x.data.shape[-1]).reshape(x.data.shape) if WRONG == 2 else grad)
"""


def outcomes(folder):
    """Run the tests of a folder, in this process; give the outcome of each by name."""
    seen = {}

    class Watch:
        def pytest_runtest_logreport(self, report):
            if report.when == "call":
                seen[report.nodeid.split("::")[1]] = str(report.longrepr) if report.failed else "passed"

    pytest.main(["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--rootdir", str(folder), str(folder)], [Watch()])
    return seen


def test_written_tests_fail_until_the_op_is_mended(tmp_path, monkeypatch):
    (tmp_path / "ops_of_a_user.py").write_text("WRONG = 2\n" + OPS)
    monkeypatch.syspath_prepend(tmp_path)
    import ops_of_a_user as ops

    for op, inputs, question in (
        (ops.Sums, [[[1.0, 2.0]]], {"arguments": {"axis": 0, "scale": 0.1}}),
        (ops.Outer.Keeps, [[1.0, 2.0]], {"property": "reentrancy", "partner": [[3.0, 0.5]]}),
        (ops.Empty, [np.zeros((3, 0))], {"property": "degenerate"}),
    ):
        with pytest.raises(VerificationError) as caught:
            check_case(op, inputs, seed=2, **question)
        regression.write(caught.value.report, tmp_path)
    wrong = outcomes(tmp_path)
    assert set(wrong) == {"test_sums_gradient", "test_keeps_reentrancy", "test_empty_degenerate"}
    assert all("VerificationError" in outcome for outcome in wrong.values())
    monkeypatch.setattr(ops, "WRONG", 1)
    assert set(outcomes(tmp_path).values()) == {"passed"}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_written_is_python(name):
    tree = ast.parse(regression.source(HOSTILE[name]))
    (test,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    assert test.name.startswith("test_")
    assert ast.get_docstring(test).startswith("Backward gives the gradient.")


def test_an_op_that_cannot_be_imported_gets_a_place_to_put_it():
    class Local(Function):
        def forward(self, x):
            return variable(2 * x.data)

        def backward(self, x, grad):
            x.grad += grad

    with pytest.raises(VerificationError) as caught:
        check_case(Local, [[1.0]], seed=1)
    text = regression.source(caught.value.report)
    assert "cannot be imported from here. Import it, or put its definition in this place:" in text
    assert "\nLocal = ...\n" in text
    assert "check_case(Local, [np.array([1.0])], seed=1)" in text


def test_an_op_of_a_script_is_imported_from_the_script(monkeypatch):
    failed = report([1.0])
    kind = failed.failures[0].case.subject.kind
    kind.__module__ = "__main__"
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/somewhere/my_script.py", raising=False)
    assert "from my_script import Wrong  # of /somewhere/my_script.py" in regression.source(failed)


def test_an_instance_is_said_to_be_one():
    failed = report([1.0])
    (failure,) = failed.failures
    subject = failure.case.subject
    made = subject.make()
    made.rate = 0.25
    object.__setattr__(subject, "make", lambda: made)
    (said,) = (line for line in regression.source(failed).splitlines() if "# It held" in line)
    assert "rate=0.25" in said


@pytest.mark.parametrize("value", [1, "a'b", 'a"b', None, True, 0.1, [1, (2,)], {"k": np.float64(2.5)}, np.arange(3.0)])
def test_constructor_arguments_are_written_so_that_they_come_back(value):
    back = eval(regression.expression(value), {"np": np})
    assert np.array_equal(back, value) if isinstance(value, np.ndarray) else back == value


@pytest.mark.parametrize("array", [np.zeros((0, 3)), np.array(2.5), np.array([np.nan, np.inf, -np.inf, -0.0]),
                                   np.array([0.1, 1e-310])])  # fmt: skip
def test_inputs_come_back_bit_by_bit(array):
    (failure,) = report(array).failures
    text = regression.call(failure)
    inputs = eval(text, {"np": np, "check_case": lambda op, inputs, **how: inputs, "Wrong": None})
    assert inputs[0].shape == array.shape
    assert inputs[0].tobytes() == array.tobytes()


def test_nothing_is_overwritten(tmp_path):
    failed = report([1.0])
    path = regression.write(failed, tmp_path)
    assert path.name == "test_wrong.py"
    with pytest.raises(FileExistsError):
        regression.write(failed, tmp_path)
    failed.failures.clear()
    with pytest.raises(ValueError, match="Wrong has no failure"):
        regression.source(failed)


def test_tests_of_one_property_get_names_of_their_own():
    failed = report([1.0])
    failed.failures *= 2
    assert isinstance(failed.failures[0], Failure)
    names = [n.name for n in ast.parse(regression.source(failed)).body if isinstance(n, ast.FunctionDef)]
    assert names == ["test_wrong_gradient", "test_wrong_gradient_2"]
