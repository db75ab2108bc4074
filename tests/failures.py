"""Reports that whatever shows reports must be able to show: usual ones, and hostile ones.

Each is made anew by calling it, for a report may be changed, and from an op that fails for real or from numbers that
would take a real op too long.
"""

from __future__ import annotations

import inspect

import numpy as np

from adverify import Diagnosis, Failure, Function, Report, VerificationError, check_case, check_function, variable
from adverify.case import Case
from adverify.domains import real
from adverify.sampling import Sampling
from adverify.subject import Subject, subject_of
from adverify.verdict import Evidence, mismatch, violated

RULE = "backward gives the vector-Jacobian product of forward"


class TensorDotProduct(Function):
    def forward(self, x, y):
        return variable(x.data @ y.data)

    def backward(self, x, y, grad):
        x.grad += x.data.T @ grad
        y.grad += grad @ y.data.T


class Identity(Function):
    def forward(self, x):
        return variable(x.data)

    def backward(self, x, grad):
        x.grad += grad


class Kink(Function):
    """The absolute value, with a gradient at 0 that is none."""

    def forward(self, x):
        return variable(np.abs(x.data))

    def backward(self, x, grad):
        x.grad += grad * np.where(x.data == 0, 5.0, np.sign(x.data))


class GradientIsNaN(Function):
    def forward(self, x):
        return variable(np.sqrt(np.abs(x.data)) * 0 + x.data)

    def backward(self, x, grad):
        x.grad += grad * (x.data / x.data)


class Text(str):
    """A constructor argument that shows itself as a megabyte."""

    def __repr__(self):
        return "'" + "<b>&" * 250_000 + "'"


class Long(Function):
    def __init__(self, text=""):
        self.text = text

    def forward(self, x):
        return variable(2 * x.data)

    def backward(self, x, grad):
        x.grad += 3 * grad


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Raises(Function):
    error: Exception = ValueError("plain")

    def forward(self, x):
        return variable(2 * x.data)

    def backward(self, x, grad):
        raise self.error


def found(op, *inputs, **options):
    """Give the report of a case that fails."""
    try:
        check_case(op, inputs, **options)
    except VerificationError as error:
        return error.report
    raise AssertionError(f"{op} was expected to fail")


def case_at(subject, *inputs):
    """Make a case of inputs that are given."""
    arrays, count = tuple(np.asarray(a) for a in inputs), len(inputs)
    shapes = (tuple(a.shape for a in arrays),)
    sampling = Sampling(shapes, (real,) * count, 0.0, 0.0, False, (False,) * count, given=True)
    return Case(subject, arrays, 0, sampling)


def place_of(kind):
    """Say where a class is defined; nothing of one that was made by a call."""
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except OSError:
        return ""


def made(op, evidence=(), inputs=([1.0, 1.0],), reason="", exception=None, **attributes):
    """Make a report of a failure whose verdict is given."""
    subject = op if isinstance(op, Subject) else subject_of(op, {})
    case = case_at(subject, *inputs)
    verdict = violated(reason or "x.grad is wrong", *evidence, exception=exception)
    failure = Failure("gradient", RULE, case, verdict)
    return Report(subject.name, place_of(subject.kind), failures=[failure], **attributes)


def wrong_number():
    return found(TensorDotProduct, [1.0, 1.0], [[1.0, 1.0], [1.0, 1.0]])


def wrong_at_a_kink():
    return found(Kink, [0.0, 1.0], property="special values")


def nan():
    return found(GradientIsNaN, [0.0, 1.0], property="special values")


def zero_size():
    empty = np.zeros((0, 3))
    return made(Identity, [mismatch("x.grad", empty, empty)], [empty], "x.grad has shape (3,) and should have (0, 3)")


def another_shape():
    evidence = Evidence("x.grad", np.zeros((2, 3)), np.zeros(2), np.zeros(()), np.ones((), bool))
    return made(Identity, [evidence])


def not_numbers():
    """What an op may leave as a gradient."""
    evidence = Evidence(
        "x.grad", np.ones(2), np.array(["<i>", None], object), np.zeros(()), np.ones((), bool)
    )  # fmt: skip
    return made(Identity, [evidence])


def huge():
    expected = np.arange(1e6).reshape(1000, 1000)
    actual = expected.copy()
    actual[700, 900:903] = [np.nan, -np.inf, 1e300]
    return made(Identity, [mismatch("x.grad", expected, actual, 1e-9)], [expected])


def script():
    name = "<script>alert('1')</script>"
    op = type(name, (TensorDotProduct,), {})
    report = wrong_number()
    subject = subject_of(op, {})
    case = case_at(subject, np.ones(2), np.ones((2, 2)))
    first = report.failures[0]
    diagnosis = Diagnosis("transposed", "it is </script><script>alert(2)</script> transposed & \"'quoted'\"")
    failure = Failure(first.property, "<img src=x onerror=alert(3)>", case, first.verdict, (diagnosis,))
    return Report(name, f"<b>file</b>, 100%: a.py:{7}", f"module:{name}", ["<td>"], failures=[failure])


def long_repr():
    return found(Long, [1.0, 2.0], arguments={"text": Text("x")})


def not_ascii():
    op = type("Größe_梯度", (Long,), {})
    return made(
        op, [mismatch("梯度.grad", np.ones(2), np.array([1.0, -2.0]))], reason="∂y/∂x ≠ 1 — nämlich ½ 🙂 \x1b[31m"
    )


def raised():
    return found(Raises, [1.0])


def lone_surrogate():
    return found(type("Surrogate", (Raises,), {"error": OSError("no such file: 'a\udcff'\r\n%25, ::error::")}), [1.0])


def unprintable():
    error = Unprintable()
    return made(Identity, reason="backward raised Unprintable", exception=error)


def undecided():
    obstacle = "at ordinary values 1 gradient could be decided and 99 not (forward is not repeatable)"
    return Report("Noise", "noise.py:3", "noise:Noise", ["1 input of 1-d"], 1, 99, obstacle=obstacle, seconds=1.5)


def verified():
    return check_function(Identity, max_examples=5, seed=0)


ALL = {
    make.__name__: make
    for make in (
        wrong_number, wrong_at_a_kink, nan, zero_size, another_shape, not_numbers, huge, script, long_repr, not_ascii,
        raised, lone_surrogate, unprintable, undecided, verified,
    )
}  # fmt: skip
"""Every report, by name."""
