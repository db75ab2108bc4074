"""The properties that hold backward against the numerical derivative, each on its own kind of inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from adverify.agreement import Findings, judge
from adverify.case import Case, flat, unflat
from adverify.domains import Domain, symmetric
from adverify.evaluation import Evaluator
from adverify.properties.base import Property
from adverify.properties.precision import overflow_in_single, rounds_to_single
from adverify.question import Finding, Question
from adverify.shapes import elements, is_broadcast
from adverify.strategies.values import MATRICES, Regime, structured
from adverify.subject import BackwardRaised, Rejected
from adverify.verdict import Evidence, Status, Verdict, undecided, violated

MAX_DIRECTIONS = 48
"""Of an input with more elements than this, half as many are moved alone, and some together."""

FEW_DIRECTIONS = 12
"""The same where points must be evaluated one by one."""

LEAST_DIRECTIONS, MOST_NUMBERS = 8, 500_000
"""Of a large input as few as that, for so many numbers in all."""

MOST_UNLIKE = 1e4
"""How much farther some elements may move than others that move with them: a large one hides what short steps do."""

MOST_AT_ONCE = 2_000_000
"""Elements up to which all are looked at, where that takes one direction an input."""

MOST_SHOWN = 1000
"""Of more directions only the wrong ones are put into evidence."""


class NumericalProperty(Property):
    """Asks the oracle about every case, in one SciPy call for all."""

    judges_gradients = True

    def judge(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Verdict]]:
        questions, asked = [], []
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
        if questions:
            for case, question, findings in zip(asked, questions, judge(questions), strict=True):
                verdict = verdict_of(case, question, findings)
                if verdict.status is Status.VIOLATED and _is_small(case, verdict) and rounds_to_single(case):
                    verdict = undecided("the gradient is computed in single precision, as `precision` says")
                yield case, verdict

    def _raised(self, case: Case, raised: BackwardRaised) -> Verdict:
        what = f"backward raised {type(raised.cause).__name__}: {raised.cause}"
        # LAPACK gives up at magnitudes, and at nearly singular matrices, that others of its routines still take.
        if isinstance(raised.cause, np.linalg.LinAlgError) and (self.regime is Regime.EXTREME or _is_unstable(case)):
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

    def judge(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Verdict]]:
        """Leave to `special values` what is wrong at such points only."""
        for case, verdict in super().judge(cases):
            if verdict.status is Status.VIOLATED and verdict.exception is None and _is_special(flat(case.arrays)):
                nearby = _moved_off(case)
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
    room = np.concatenate([
        room_of(a, d).ravel() for a, d in zip(case.arrays, case.sampling.domains, strict=True)
    ]) if x.size else x  # fmt: skip

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
    return Question(evaluate, x, at_x, g, v, room, directions, sampling.scale, sampling.noise, backward, corner,
                    sampling.memory.is_slow(evaluate.shapes))  # fmt: skip


def _is_by_element(case: Case, corner: bool) -> bool:
    """Whether all elements of an input can be moved at once, each output showing what one of them does."""
    sampling, shapes = case.sampling, tuple(a.shape for a in case.arrays)
    if not sampling.elementwise or len(case.outputs) != 1 or not 0 < elements(shapes) <= MOST_AT_ONCE:
        return False
    tied = corner and len(shapes) > 1  # elements of one input never meet in an output, those of several do
    return not tied and not any(sampling.convention) and is_broadcast(case.outputs[0].shape, shapes)


def _is_unstable(case: Case) -> bool:
    """Whether the last bits of the inputs decide what forward gives, or whether it gives anything."""
    rng = case.rng()
    for _ in range(8):
        nudged = tuple(a + rng.choice([-2.0, -1.0, 1.0, 2.0], a.shape) * np.spacing(np.abs(a)) for a in case.arrays)
        try:
            change = np.abs(flat(case.subject.forward(nudged)) - flat(case.outputs))
        except Rejected:
            return True
        if change.max(initial=0.0) > 1e-3 * np.abs(flat(case.outputs)).max(initial=0.0):
            return True
    return False


def _is_small(case: Case, verdict: Verdict) -> bool:
    """Whether single precision could explain an error."""
    largest = max(case.sizes, default=0.0)
    return all(bool((np.abs(e.actual - e.expected)[e.wrong] <= 1e-5 * largest).all()) for e in verdict.evidence)


def _is_special(x: np.ndarray) -> bool:
    """Whether values tie, or are numbers at which an author would put a threshold."""
    simple = (8 * x == np.round(8 * x)) & (np.abs(x) < 1e6)
    return bool(np.unique(x).size < x.size or simple.any())


def _moved_off(case: Case) -> Case:
    """The case a little way off, where nothing ties."""
    rng = case.rng()
    moved = tuple(
        a
        + 0.02
        * room_of(a, d)
        * structured(rng.uniform(-1, 1, a.shape), symmetric if d.structure else d, Regime.ORDINARY)
        for a, d in zip(case.arrays, case.sampling.domains, strict=True)
    )
    return case.at(moved)


def room_of(array: np.ndarray, domain: Domain) -> np.ndarray:
    """How far each element may move: in proportion to its size, and not out of its domain."""
    size = np.abs(array)
    usual = min(1.0, float(size.max(initial=0.0))) or 1.0
    room = 0.3 * (size if 0.0 in domain.without else np.maximum(size, 0.25 * usual))
    for end in (domain.low, domain.high):
        if np.isfinite(end):
            distance = np.abs(array - end)
            room = np.where(distance > 0, np.minimum(room, 0.45 * distance), room)
    return np.asarray(np.where(room > 0, room, 0.075))


def directions_of(case: Case, x: np.ndarray, v: np.ndarray, room: np.ndarray, corner: bool) -> np.ndarray:
    """Each element by itself, and where kinks are likely also those together that are tied."""
    free = np.arange(x.size)
    shapes = tuple(a.shape for a in case.arrays)
    slow = shapes in case.sampling.memory.unstackable
    most = min(FEW_DIRECTIONS if slow else MAX_DIRECTIONS, max(LEAST_DIRECTIONS, MOST_NUMBERS // max(1, x.size)))
    mirrored = any(case.sampling.convention) or any(d.structure in MATRICES for d in case.sampling.domains)
    if mirrored:
        directions = _along_symmetric(case, v, np.diag(room))
        mirrored = len(directions) != x.size
        if len(directions) > most:
            directions = directions[np.sort(case.rng().choice(len(directions), most // 2, replace=False))]
    elif x.size > most:
        chosen = np.sort(case.rng().choice(x.size, most // 2, replace=False))
        directions = np.zeros((chosen.size, x.size))
        directions[np.arange(chosen.size), chosen] = room[chosen]
    else:
        directions = np.diag(room)
    if x.size > most and not corner and not mirrored:  # at ties, too many slopes are right along these
        rng = case.rng()
        together = room * rng.choice([-1.0, 1.0], (most // 4, x.size))
        owner = np.repeat(np.arange(len(case.arrays)), [a.size for a in case.arrays])
        together *= owner == rng.choice(owner, (most // 4, 1))  # of one input, for points are evaluated so together
        directions = np.concatenate([directions, together])
    if not corner or x.size < 2 or mirrored or any(d.structure == "distinct" for d in case.sampling.domains):
        return directions
    _, group, count = np.unique(x, return_inverse=True, return_counts=True)
    groups = [free[group == k] for k in np.flatnonzero(count > 1)[:MAX_DIRECTIONS]]
    ends = np.cumsum([a.size for a in case.arrays])
    groups += [free, *np.split(free, ends[:-1])]
    groups = [m for m in groups if m.size > 1 and room[m].max() <= MOST_UNLIKE * room[m].min()]
    unique = {tuple(m.tolist()): m for m in groups if np.isfinite(v[m]).all()}
    tied = np.zeros((len(unique), x.size))
    for row, members in zip(tied, unique.values(), strict=True):
        row[members] = room[members].min()
    return np.concatenate([directions, tied])


def _along_symmetric(case: Case, v: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Move a_ij and a_ji together, unless forward reads one triangle and the gradient keeps to it."""
    kept, start = [], 0
    inferred = case.sampling.convention
    for array, domain, by_inference, grad in zip(
        case.arrays, case.sampling.domains, inferred, unflat(v, case.arrays), strict=True
    ):
        rows = directions[start : start + array.size]
        start += array.size
        square = array.ndim >= 2 and array.shape[-1] == array.shape[-2]
        lopsided = square and _is_lopsided(grad)
        mirrors = square and (domain.structure in MATRICES or by_inference)
        if not mirrors or not array.size or (by_inference and lopsided):
            kept.append(rows)
            continue
        index = np.arange(array.size).reshape(array.shape)
        mirror = np.swapaxes(index, -1, -2).ravel()
        step = np.minimum(rows.max(axis=1), rows.max(axis=1)[mirror])
        both = np.zeros_like(rows)
        offset = start - array.size
        for i in np.flatnonzero(index.ravel() <= mirror):
            both[i, offset + i] = both[i, offset + mirror[i]] = step[i]
        kept.append(both[index.ravel() <= mirror])
    return np.concatenate(kept)


def _is_lopsided(grad: np.ndarray) -> bool:
    """Whether a matrix is not symmetric by more than rounding; NaN is unlike nothing."""
    finite = np.abs(grad[np.isfinite(grad)])
    rounding = 1e-9 * float(finite.max(initial=0.0))
    return not np.allclose(grad, np.swapaxes(grad, -1, -2), rtol=0, atol=rounding, equal_nan=True)


def verdict_of(case: Case, question: Question, findings: Findings) -> Verdict:
    """Sum up the findings along all directions of one case."""
    if not findings:
        return Verdict(Status.HOLDS, decided_inputs=frozenset(range(len(case.arrays))))
    if findings.all_hold:
        decided, resolutions = findings.settled, findings.relative
    else:
        examined = findings.examined.tolist()
        wrong = [i for i in examined if findings[i].status is Status.VIOLATED]
        if wrong:
            return _accusation(case, question, findings, wrong)
        holding = [i for i in examined if findings[i].status is Status.HOLDS]
        if 2 * len(holding) < len(examined):
            reasons = Counter(findings[i].reason for i in examined if findings[i].status is Status.UNDECIDED)
            return undecided(reasons.most_common(1)[0][0])
        decided = np.isin(np.arange(len(findings)), holding)
        resolutions = np.array([findings[i].resolution for i in holding])
    moved = question.moved(np.flatnonzero(decided))
    owner = np.repeat(np.arange(len(case.arrays)), [a.size for a in case.arrays])
    inputs = frozenset(owner[moved].tolist()) | {i for i, a in enumerate(case.arrays) if not a.size}
    resolution = float(np.sort(resolutions)[len(resolutions) // 2])
    return Verdict(Status.HOLDS, decided_inputs=inputs, resolution=resolution)


def _accusation(case: Case, question: Question, findings: Sequence[Finding], wrong: Sequence[int]) -> Verdict:
    expected, bar = np.full(question.x.size, np.nan), np.full(question.x.size, np.inf)
    flagged = np.zeros(question.x.size, bool)
    alone: dict[int, int] = {}
    for i in range(len(findings)) if len(findings) <= MOST_SHOWN else wrong:
        direction, finding = question.direction(i), findings[i]
        moved = np.flatnonzero(direction)
        if moved.size == 1 and finding.status is not Status.UNDECIDED:
            j = int(moved[0])
            expected[j], bar[j] = finding.expected / direction[j], finding.error / abs(direction[j])
            flagged[j] = i in wrong
            alone[i] = j
    if flagged.any():
        evidence = _per_input(case, question, expected, bar, flagged)
        first = next(i for i in wrong if i in alone)
        j, worst, step = alone[first], findings[first], question.direction(first)[alone[first]]
        low, high = sorted(v / step for v in (worst.low, worst.high))
        narrow = worst.high - worst.low <= max(0.01 * abs(worst.expected), worst.error)
        between = "" if narrow else f", where any slope from {low:.6g} to {high:.6g} would be right"
        actual, right = _apart(question.v[j], expected[j]), _apart(expected[j], question.v[j])
        return violated(f"{_element(case, j)} is {actual} and should be {right}{between}", *evidence)
    worst = findings[wrong[0]]
    direction = question.direction(wrong[0])
    size = float(np.abs(direction).max())
    claimed = float(np.where(direction == 0, 0.0, direction * question.v).sum()) / size
    right, actual = _apart(worst.expected / size, claimed), _apart(claimed, worst.expected / size)
    together = ", ".join(_element(case, int(j)).replace(".grad", "") for j in np.flatnonzero(direction)[:4])
    more = ", ..." if np.count_nonzero(direction) > 4 else ""
    return violated(
        f"moving {together}{more} together changes the output by {right} a unit; backward says {actual}",
        *_per_input(case, question, expected, bar, direction != 0),
    )


def _apart(value: float, other: float) -> str:
    """Write a number with as many digits as tell it from another."""
    texts = ((f"{value:.{n}g}", f"{other:.{n}g}") for n in range(6, 17))
    return next((mine for mine, its in texts if mine != its), repr(float(value)))


def _per_input(
    case: Case, question: Question, expected: np.ndarray, bar: np.ndarray, flagged: np.ndarray
) -> tuple[Evidence, ...]:
    parts = (unflat(a, case.arrays) for a in (expected, question.v, bar, flagged))
    found = zip(case.names, *parts, strict=True)
    return tuple(Evidence(f"{n}.grad", e, a, b, w) for n, e, a, b, w in found if w.any())


def _element(case: Case, j: int) -> str:
    for name, array in zip(case.names, case.arrays, strict=True):
        if j < array.size:
            index = ", ".join(str(int(k)) for k in np.unravel_index(j, array.shape))
            return f"{name}.grad[{index}]" if index else f"{name}.grad"
        j -= array.size
    return ""
