"""Failures that are hard to show: huge, empty, not numbers, with names and messages that a renderer must not obey."""

import numpy as np

from adverify import Failure, Function, Report, variable
from adverify.case import Case
from adverify.domains import Domain
from adverify.report import Diagnosis
from adverify.sampling import Sampling
from adverify.subject import subject_of
from adverify.verdict import Evidence, mismatch, violated


class Wrong(Function):
    def __init__(self, scale=None):
        self.scale = scale

    def forward(self, x):
        return variable(2 * x.data)

    def backward(self, x, grad):
        x.grad += grad


class LongRepr(float):
    def __repr__(self):
        return "x" * 1_000_000


def report(array, expected=None, actual=None, name="Wrong", reason="x.grad is wrong", arguments=None, diagnosis=""):
    """Make a report on one failure at an array."""
    kind = type(name, (Wrong,), {})
    kind.__module__ = __name__
    array = np.asarray(array)
    sampling = Sampling((), (Domain(),), 1.0, 0.0, True, (False,), given=True)
    subject = subject_of(kind(), {}) if arguments is None else subject_of(kind, arguments)
    case = Case(subject, (array,), 1, sampling)
    expected = 2 * array if expected is None else np.asarray(expected)
    actual = array if actual is None else np.asarray(actual)
    alike = expected.shape == actual.shape
    evidence = mismatch("x.grad", expected, actual, 1e-9) if alike else Evidence(
        "x.grad", expected, actual, np.zeros(()), np.ones((), bool))  # fmt: skip
    diagnoses = (Diagnosis("factor", diagnosis),) if diagnosis else ()
    failure = Failure("gradient", "backward gives the gradient", case, violated(reason, evidence), diagnoses)
    return Report(name, location="somewhere.py:1", failures=[failure])


def all_reports():
    nan, inf = np.nan, np.inf
    rng = np.random.default_rng(0)
    return {
        "huge": report(rng.normal(size=(100, 150))),
        "long vector": report(np.arange(100_000.0)),
        "many axes": report(rng.normal(size=(2, 3, 2, 3, 2, 3))),
        "0-d": report(3.0),
        "empty": report(np.zeros((0, 3))),
        "not numbers": report([1.0, 2.0, 3.0], [nan, inf, -inf], [nan, nan, inf]),
        "tiny and huge": report([1e-300, 1e300, -0.0]),
        "alike but for the last digits": report([1.0], [1.0], [1.0 + 1e-8]),
        "shapes unlike": report([1.0, 2.0], np.zeros(2), np.zeros((2, 2))),
        "single precision": report(np.array([1.5, 2.5], np.float32)),
        "a constructor argument of a megabyte": report([1.0], arguments={"scale": LongRepr(2.0)}),
        "a name like a tag": report([1.0], name="<script>"),
        "a name like markup": report([1.0], name="[bold red]X[/bold red]"),
        "a name that is not ASCII": report([1.0], name="Größe_梯度"),
        "a reason that is not ASCII": report([1.0], reason="∂f/∂x ≠ 梯度 😀"),
        "control characters": report([1.0], reason="\x1b[2J\x1b]0;owned\x07\r\nnext\x00line", diagnosis="\x1b[31mred"),
        "a long reason": report([1.0], reason="y" * 1_000_000, diagnosis="z" * 1_000_000),
        "quotes and slashes": report([1.0], reason='"""\\ \\N{x} \'\'\' """', diagnosis='ends in a quote"'),
    }
