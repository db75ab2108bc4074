"""The properties that hold backward against the numerical derivative, each on its own kind of inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from adverify.agreement import judge
from adverify.case import Case, flat, unflat
from adverify.directions import directions_of, inward_of, moved_off, room_of
from adverify.evaluation import Evaluator
from adverify.properties.base import Property, is_unstable
from adverify.properties.precision import overflow_in_single
from adverify.properties.single_precision import left_to_precision
from adverify.question import Question
from adverify.shapes import elements, is_broadcast
from adverify.strategies.values import Regime
from adverify.subject import BackwardRaised, NoGradient, Rejected
from adverify.summary import verdict_of
from adverify.verdict import Status, Verdict, undecided, violated

MOST_AT_ONCE = 2_000_000
"""Elements up to which all are looked at, where that takes one direction an input."""


class NumericalProperty(Property):
    """Asks the oracle about every case, in one SciPy call for all."""

    judges_gradients = True

    def judge(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Verdict]]:
        questions, asked, again = [], [], []
        for case in cases:
            try:
                question = question_of(case)
            except BackwardRaised as raised:
                yield case, self._raised(case, raised)
            except Rejected as rejected:
                yield case, undecided(str(rejected))
            else:
                if question is None:
                    yield case, violated("backward left a gradient of another shape than its input's")
                else:
                    questions.append(question)
                    asked.append(case)
        for i, findings in judge(questions):
            case, question = asked[i], questions[i]
            if question.elementwise and case.sampling.memory.mixes:
                again.append(case)
                continue
            verdict = verdict_of(case, question, findings)
            yield case, left_to_precision(case, verdict)
        if again:
            yield from NumericalProperty.judge(self, again)

    def _raised(self, case: Case, raised: BackwardRaised) -> Verdict:
        if isinstance(raised, NoGradient):  # which is for `shape` to say
            return undecided(str(raised))
        what = f"backward raised {type(raised.cause).__name__}: {raised.cause}"
        # LAPACK gives up at magnitudes, and at nearly singular matrices, that others of its routines still take.
        if isinstance(raised.cause, np.linalg.LinAlgError) and (self.regime is Regime.EXTREME or is_unstable(case)):
            return undecided(what)
        return violated(what, exception=raised.cause)

    def check(self, case: Case) -> Verdict:
        return next(verdict for _, verdict in self.judge([case]))


class Gradient(NumericalProperty):
    """The heart of the contract.

    For a cotangent g, backward adds g times the Jacobian of forward to the inputs' gradients. It is held against
    numerical derivatives by SciPy along many directions, each with an error bar; that bar is the only tolerance.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class Square(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad += grad * x.data  # must be 2 * grad * x.data
    >>> check_case(Square, [[1.0, 3.0]])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: Square: wrong gradient: x.grad[0] is 1 and should be 2
    ...
    """

    name = "gradient"
    rule = "backward gives the vector-Jacobian product of forward"
    needs = ("determinism", "purity", "shape")
    leaves_to = "special values"

    def judge(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Verdict]]:
        """Leave to `special values` what is wrong at such points only."""
        for case, verdict in super().judge(cases):
            if verdict.status is Status.VIOLATED and verdict.exception is None and _is_special(flat(case.arrays)):
                nearby = moved_off(case)
                if not any(v.status is Status.VIOLATED for _, v in super().judge([nearby])):
                    yield case, undecided("the gradient is wrong at special values only")
                    continue
            yield case, verdict


class SpecialValues(NumericalProperty):
    """Zeros, ties and ends of a domain are where formulas that are right elsewhere divide zero by zero.

    At a kink any subgradient is right: along each direction, a value between the slopes on its two sides.

    Examples
    --------
    >>> import numpy as np
    >>> from adverify import Function, check_case, variable
    >>> class Norm(Function):
    ...     def forward(self, x):
    ...         return variable(np.abs(x.data) ** 3)
    ...     def backward(self, x, grad):
    ...         x.grad += 3 * grad * np.abs(x.data) ** 3 / x.data  # 0 / 0
    >>> check_case(Norm, [[0.0, 1.0]], property="special values")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: Norm: wrong gradient: x.grad[0] is nan...
    ...
    """

    name = "special values"
    rule = "at zeros, ties and ends of the domain the gradient is finite and right, or a subgradient"
    regime = Regime.SPECIAL
    needs = ("gradient",)


class Extremes(NumericalProperty):
    """Overflow inside backward where forward and the true gradient are finite.

    ``exp(x) / (1 + exp(x))`` is NaN at 1000, where its value is 1; a gradient that is written so is NaN in training as
    soon as one activation is large.

    Examples
    --------
    >>> import numpy as np
    >>> from adverify import Function, check_case, variable
    >>> class Softplus(Function):
    ...     def forward(self, x):
    ...         return variable(np.logaddexp(0, x.data))
    ...     def backward(self, x, grad):
    ...         x.grad += grad * np.exp(x.data) / (1 + np.exp(x.data))
    >>> check_case(Softplus, [[1000.0, 1.0]], property="extremes")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: Softplus: wrong gradient: x.grad[0] is nan and should be 1
    ...
    """

    name = "extremes"
    rule = "at large and small magnitudes the gradient is finite and right wherever the true one is"
    regime = Regime.EXTREME
    needs = ("gradient",)

    def judge(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Verdict]]:
        """Ask the oracle; and of single precision, which the oracle does not see, whether it stays finite as well."""
        held = []
        for case, verdict in super().judge(cases):
            yield case, verdict
            if verdict.status is Status.HOLDS:
                held.append(case)
        for case in held:
            verdict = overflow_in_single(case)
            if verdict.status is Status.VIOLATED:
                yield case, verdict


class Degenerate(NumericalProperty):
    """Shapes that are met in practice and forgotten in tests.

    The last batch of an epoch has one element, a filter leaves none, and ``x[0]`` of a vector is 0-d.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class OneByOne(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         for i in range(len(x.data)):  # a 0-d array has no len
    ...             x.grad[i] += 2 * grad[i] * x.data[i]
    >>> check_case(OneByOne, [2.0], property="degenerate")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: OneByOne: wrong gradient: backward raised TypeError: len() of unsized...
    ...
    """

    name = "degenerate"
    rule = "0-d, one-element and empty inputs work wherever forward takes them"
    degenerate = True
    needs = ("gradient",)


def question_of(case: Case) -> Question | None:
    """Put a case to the oracle; None if backward's gradients cannot be compared because of their shape."""
    if any(np.shape(g) != a.shape for g, a in zip(case.vjp, case.arrays, strict=True)):
        return None
    x, g = flat(case.arrays), flat(case.cotangents)
    v = flat(tuple(np.asarray(grad, float) for grad in case.vjp))
    room, inward = (
        flat(tuple(of(a, d) for a, d in zip(case.arrays, case.sampling.domains, strict=True)))
        for of in (room_of, inward_of)
    )

    evaluate = Evaluator(case.subject, case.arrays, case.outputs, case.sampling.memory)

    def backward(points: np.ndarray) -> np.ndarray:
        gradients = np.full((len(points), x.size), np.nan)
        for row, point in zip(gradients, points, strict=True):
            try:
                values = flat(case.subject.vjp(unflat(np.array(point), case.arrays), case.cotangents))
            except (Rejected, BackwardRaised):
                continue
            if values.size == row.size:
                row[:] = values
        return gradients

    corner = _is_special(x)
    sampling, at_x = case.sampling, flat(case.outputs).astype(float)
    directions = None if _is_by_element(case, corner) else directions_of(case, x, v, room, corner)
    is_slow = sampling.memory.is_slow(evaluate.shapes)
    return Question(evaluate, x, at_x, g, v, room, inward, directions, sampling.scale, sampling.noise, sampling.jump,
                    backward, lambda: case.scatter, corner, is_slow)  # fmt: skip


def _is_by_element(case: Case, corner: bool) -> bool:
    """Whether all elements of an input can be moved at once, each output showing what one of them does."""
    sampling, shapes = case.sampling, tuple(a.shape for a in case.arrays)
    if not sampling.elementwise or sampling.memory.mixes:
        return False
    if len(case.outputs) != 1 or not 0 < elements(shapes) <= MOST_AT_ONCE:
        return False
    tied = corner and len(shapes) > 1  # elements of one input never meet in an output, those of several do
    return not tied and not any(sampling.convention) and is_broadcast(case.outputs[0].shape, shapes)


def _is_special(x: np.ndarray) -> bool:
    """Whether values tie, or are numbers at which an author would put a threshold."""
    simple = (8 * x == np.round(8 * x)) & (np.abs(x) < 1e6)
    return bool(np.unique(x).size < x.size or simple.any())
