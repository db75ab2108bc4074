"""`check_function`: an op goes in, the truth comes out."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.control import _current_build_context

from adverify.case import Case
from adverify.domains import Domain
from adverify.inference import NothingFits, Sampling, infer
from adverify.isolation import OutOfTime, Watch, isolated
from adverify.properties import Property, all_properties, dependents
from adverify.report import Failure, InvalidFunction, Report, Undecided, VerificationError
from adverify.shapes import is_degenerate
from adverify.signatures import Signature
from adverify.strategies.cases import cases, simpler_cases, sweeps
from adverify.strategies.values import Regime
from adverify.subject import MalformedOp, Subject, arities, check_backward_takes, subject_of, takes_any_number
from adverify.verdict import Status, Verdict

MAX_ARGUMENTS = 12
SHRINK_SECONDS = 1.5
SIMPLER = 40
AGAIN = 3
"""How often more examples are drawn where none decided all gradients."""
BUDGET_SECONDS = 3.0
"""Of its own processor time: for a slow op fewer cases are judged; what was decided is in the report."""
PATIENCE = 4.0
"""How many times as long it may take by the clock, on a busy machine or for an op that waits."""
LEAST_SWEEPS = 3
"""However few examples are asked for: every shape is to be met."""
SPARSE = 24
"""Of a sweep's cases, so many are enough for a property that is not about numbers; other ones each time."""
SHARE = {(Regime.ORDINARY, False): 0.45, (Regime.SPECIAL, False): 0.25, (Regime.EXTREME, False): 0.2,
         (Regime.ORDINARY, True): 0.06}  # fmt: skip
"""How the examples are divided among regimes, and sweeps over all shapes."""


def check_function(
    op: Any,
    *,
    arguments: Mapping[str, Any] | None = None,
    signature: str | None = None,
    domain: Domain | Sequence[Domain] | None = None,
    inputs: Any = None,
    exclude: Iterable[str] = (),
    max_examples: int | None = None,
    seed: int | None = None,
    time_limit: float = 5.0,
) -> Report:
    """Verify that an op's backward gives the gradient of its forward, and keeps the rest of the contract.

    Parameters
    ----------
    op : type or Function
        A Function class, or an instance of one.
    arguments : mapping of str to sequence or strategy, optional
        Constructor arguments, each with the values to draw from. Default: the class's `arguments`, else its defaults.
    signature : str, optional
        The shapes it takes, ``"(m,k),(k,n)->(m,n)"``. Default: the class's `signature`, else found by calling forward.
    domain : Domain or sequence of Domain, optional
        Where the values of all inputs, or of each, may lie. Default: the class's `domain`, else found likewise.
    inputs : sequence of array_like, or strategy of such, optional
        Verify at these inputs only.
    exclude : iterable of str
        Properties not to check, by name.
    max_examples : int, optional
        How many structures to draw; each is judged for several sets of values. Default: as Hypothesis's profile says.
    seed : int, optional
        Makes the run repeatable. Default: as Hypothesis's profile says.
    time_limit : float
        Seconds that one call of the op may take.

    Returns
    -------
    Report
        What was inferred, tried and decided.

    Raises
    ------
    VerificationError
        If a property is violated. The first line says in words what is wrong; `.report` holds all.
    Undecided
        If too little could be decided to say anything.
    InvalidFunction
        If `op` is no Function, or cannot be made or called.

    Examples
    --------
    >>> from adverify import Function, check_function, variable
    >>> class Square(Function):
    ...     def forward(self, x):
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad += 2 * grad * x.data
    >>> check_function(Square).ok
    True
    """
    __tracebackhide__ = True
    excluded = _known(exclude)
    if max_examples is None:
        max_examples = hypothesis.settings().max_examples
    if max_examples < 1:
        raise ValueError(f"max_examples must be at least 1; got {max_examples!r}")
    report = Report(getattr(op, "__name__", type(op).__name__))
    with isolated(), Watch(time_limit) as watch:
        try:
            subjects = _subjects(op, arguments, signature, domain, inputs, report, watch)
            search = _Search(subjects, report, inputs, max_examples, seed, watch)
            search.run([p for p in all_properties() if p.name not in excluded])
        except MalformedOp as error:
            report.obstacle = str(error)
            failed: type[VerificationError] = InvalidFunction
        except NothingFits as error:
            report.obstacle = str(error)
            failed = Undecided
        except OutOfTime:
            report.obstacle = f"a call took longer than {time_limit:g} seconds; time_limit=... allows more"
            failed = Undecided
        else:
            report.obstacle = "" if report.failures or "gradient" in excluded else search.obstacle()
            failed = VerificationError if report.failures else Undecided
    if not report.ok:
        raise failed(report)
    return report


def _known(exclude: Iterable[str]) -> set[str]:
    names = {exclude} if isinstance(exclude, str) else set(exclude)
    known = {p.name for p in all_properties()}
    if names - known:
        raise ValueError(f"exclude names unknown properties {sorted(names - known)}; there are {sorted(known)}")
    return names


def _subjects(
    op: Any,
    arguments: Mapping[str, Any] | None,
    signature: str | None,
    domain: Domain | Sequence[Domain] | None,
    inputs: Any,
    report: Report,
    watch: Watch,
) -> list[tuple[Subject, Sampling]]:
    """Make a Subject for each choice of constructor arguments and number of inputs, with what was found to suit it."""
    found, refusals = [], []
    for chosen in _choices(op, arguments):
        subject = dataclasses.replace(subject_of(op, chosen), watch=watch)
        made = subject.make()  # hints may depend on the constructor's arguments
        hinted = signature or getattr(made, "signature", None)
        parsed = Signature.parse(hinted) if hinted else None
        report.location = report.location or subject.location
        fitting: list[tuple[Subject, Sampling]] = []
        for arity in _arities(subject, parsed, inputs):
            domains = _domains(domain or getattr(made, "domain", None), arity)
            rare = not (fitting and takes_any_number(subject))
            try:
                samplings = infer(subject, arity, parsed, domains, rare) if inputs is None else (_given(inputs, arity),)
            except NothingFits as refusal:
                refusals.append(str(refusal))
                continue
            fitting += [(subject, sampling) for sampling in samplings]
        found += fitting
        report.inferred += [f"{sampling}" + (f" ({subject.name})" if chosen else "") for _, sampling in fitting]
    if not found:
        raise NothingFits(
            f"no input that was tried suits forward: {refusals[0]}. Say what does: check_function({report.name}, "
            "signature=..., domain=...) or inputs=[...], or the same as attributes of the class"
        )
    return found


def _choices(op: Any, arguments: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Give the constructor arguments to try: a spread over the product of what each may be."""
    if not isinstance(op, type) or (arguments is None and not getattr(op, "arguments", None)):
        return [{}]
    given = getattr(op, "arguments", {}) if arguments is None else arguments
    options = {name: _values(v) for name, v in given.items()}
    product = [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]
    if len(product) > MAX_ARGUMENTS:
        rng = np.random.default_rng(0)
        product = [
            product[0],
            *(product[i] for i in rng.choice(len(product) - 1, MAX_ARGUMENTS - 1, replace=False) + 1),
        ]
    return product


def _values(given: Any) -> list[Any]:
    if isinstance(given, st.SearchStrategy):
        drawn: list[Any] = []

        @hypothesis.settings(max_examples=MAX_ARGUMENTS, derandomize=True, database=None, deadline=None)
        @hypothesis.given(given)
        def collect(value: Any) -> None:
            drawn.append(value)

        collect()
        return drawn
    return list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def _arities(subject: Subject, signature: Signature | None, inputs: Any) -> tuple[int, ...]:
    possible = arities(subject)
    if signature is not None:
        if len(signature.inputs) not in possible and len(possible) == 1:
            raise MalformedOp(f"{subject.name}.forward takes {possible[0]} inputs, its signature {signature.text!r} "
                              f"names {len(signature.inputs)}")  # fmt: skip
        possible = (len(signature.inputs),)
    elif inputs is not None and not isinstance(inputs, st.SearchStrategy):
        possible = (len(inputs),)
    for arity in possible:
        check_backward_takes(subject, arity)
    return possible


def _domains(domain: Domain | Sequence[Domain] | None, arity: int) -> tuple[Domain, ...] | None:
    if domain is None:
        return None
    if isinstance(domain, Domain):
        return (domain,) * arity
    if len(domain) < arity or not all(isinstance(d, Domain) for d in domain):
        raise ValueError(f"domain must be a Domain or one for each of {arity} inputs; got {domain!r}")
    return tuple(domain)[:arity]


def _given(inputs: Any, arity: int) -> Sampling:
    """What is known of inputs that the caller gives: nothing, but that they are to be used as they are."""
    shapes = () if isinstance(inputs, st.SearchStrategy) else (tuple(np.shape(a) for a in inputs),)
    return Sampling(shapes, (Domain(),) * arity, 0.0, 0.0, False, (False,) * arity, given=True)


def _first_wrong(verdict: Verdict) -> int:
    """Where, in a flattened array, the first wrong element is; 0 if nothing is known of it."""
    wrong = [np.flatnonzero(e.wrong) for e in verdict.evidence]
    return next((int(w[0]) for w in wrong if w.size), 0)


def _is_asked(p: Property, regime: Regime, sweep: bool) -> bool:
    """Whether a property has anything to say of a round."""
    return p.everywhere or (p.regime is regime and (p.judges_gradients if sweep else not p.degenerate))


def _share_of(p: Property, drawn: Sequence[Case]) -> Sequence[Case]:
    """Give the part of a sweep that a property is asked about."""
    if p.judges_gradients:
        return [c for c in drawn if is_degenerate(tuple(a.shape for a in c.arrays)) == p.degenerate]
    stride = -(-len(drawn) // SPARSE) or 1
    return drawn[drawn[0].seed % stride :: stride] if drawn else []


class _Violation(Exception):
    """Tells Hypothesis that a case fails."""


class _ShrunkLongEnough(BaseException):
    """Leaves a Hypothesis run; what was found so far is in its database."""


Subjects = Sequence[tuple[Subject, Sampling]]


class _Round(NamedTuple):
    """One run of Hypothesis: which Subjects, on what kind of inputs, in all shapes at once or not, how long."""

    subjects: Subjects
    regime: Regime
    sweep: bool
    examples: int
    seconds: float


class _Search:
    """Looks for a violated property, regime by regime; each is shrunk by itself."""

    def __init__(
        self, subjects: list[tuple[Subject, Sampling]], report: Report, inputs: Any, max_examples: int,
        seed: int | None, watch: Watch,
    ) -> None:  # fmt: skip
        self.subjects, self.report, self.inputs = subjects, report, inputs
        self.max_examples, self.seed, self.watch = max_examples, seed, watch
        self.decided_inputs: dict[int, set[int]] = {}
        self.resolutions: list[float] = []
        self.moot: set[str] = set()
        self.found: tuple[Property, Case, Verdict] | None = None
        self.found_at = 0.0
        self.values_only = False

    def run(self, properties: Sequence[Property]) -> None:
        for regime, sweep in SHARE:
            if self.inputs is not None and (regime is not Regime.ORDINARY or sweep):
                continue
            asked = [p for p in properties if _is_asked(p, regime, sweep)]
            self._look(asked, self._round(self.subjects, regime, sweep))
            if regime is Regime.ORDINARY and not sweep and self.inputs is None and not self.report.failures:
                self._look_again(asked)
        moot = {name for f in self.report.failures for name in dependents(f.property) - {f.property}}
        self.report.failures[:] = [f for f in self.report.failures if f.property not in moot]
        self.report.resolution = float(np.median(self.resolutions)) if self.resolutions else 0.0

    def _round(self, subjects: Subjects, regime: Regime, sweep: bool) -> _Round:
        share = SHARE[regime, sweep]
        examples = max(LEAST_SWEEPS if sweep else 1, round(self.max_examples * share))
        return _Round(subjects, regime, sweep, examples, BUDGET_SECONDS * share * max(1.0, self.max_examples / 100))

    def _look(self, asked: Sequence[Property], where: _Round) -> None:
        """Explore until nothing is violated but what is known; each property is shrunk by itself."""
        while remaining := [p for p in asked if p.name not in self.moot]:
            self._explore(remaining, where)
            if self.found is None:
                break
            p, case, verdict = self._simpler(*self._telling(remaining, where), where)
            self.report.failures.append(Failure(p.name, p.rule, case, verdict))
            self.moot |= dependents(p.name)

    def _look_again(self, asked: Sequence[Property]) -> None:
        """Give those Subjects more examples of which some gradient is still not decided."""
        for _ in range(AGAIN):
            missing = [pair for pair in self.subjects if self._undecided_inputs(pair[1])]
            for pair in missing:
                self._look(asked, self._round([pair], Regime.ORDINARY, False)._replace(examples=5))

    def _undecided_inputs(self, sampling: Sampling) -> set[int]:
        return set(range(sampling.arity)) - self.decided_inputs.get(id(sampling), set())

    def obstacle(self) -> str:
        """Say why too little was decided to call the op verified; nothing if enough was."""
        why = "; ".join(reason for reason, _ in self.report.reasons.most_common(2))
        help_ = "a narrower domain=..., or inputs=[...] at which it is smooth, may help"
        if not self.report.cases + self.report.undecided:
            return f"nothing could be tried: forward refuses what was drawn; say what suits it with {help_}"
        ordinary = self.report.verdicts.get("gradient", Counter())
        decided, not_decided = ordinary[Status.HOLDS.value], ordinary[Status.UNDECIDED.value]
        if decided * 3 < not_decided or not self.report.cases:
            return f"at ordinary values {decided} gradients could be decided and {not_decided} not ({why}); {help_}"
        for subject, sampling in self.subjects:
            if missing := self._undecided_inputs(sampling):
                return f"no gradient of input {min(missing)} of {subject.name} could be decided ({why}); {help_}"
        return ""

    def _telling(self, asked: Sequence[Property], where: _Round) -> tuple[Property, Case, Verdict]:
        """Prefer a wrong number to an exception: it says more about what the author meant."""
        assert self.found is not None
        p, case, verdict = raised = self.found
        if verdict.exception is None or not p.judges_gradients:
            return raised
        for sweep in (where.sweep, True):
            self._explore([p], where._replace(sweep=sweep), values_only=True)
            if self.found is not None:
                break
        else:
            return raised
        p, other, wrong = self.found
        shapes = " and ".join(str(a.shape) for a in case.arrays)
        aside = f"; and for inputs of shape {shapes}, {verdict.reason}"
        return p, other, dataclasses.replace(wrong, reason=wrong.reason + aside, aside=aside)

    def _simpler(self, p: Property, case: Case, verdict: Verdict, where: _Round) -> tuple[Property, Case, Verdict]:
        """Look for the same failure in simpler shapes: Hypothesis, whose bytes fit one shape, does not get there."""
        if self.inputs is not None:
            return p, case, verdict
        for simpler in itertools.islice(simpler_cases(case, where.regime, _first_wrong(verdict)), SIMPLER):
            for found, other in p.judge([simpler]):
                if other.status is Status.VIOLATED and (other.exception is None) == (verdict.exception is None):
                    other = dataclasses.replace(other, reason=other.reason + verdict.aside, aside=verdict.aside)
                    return p, found, other
        return p, case, verdict

    def _explore(self, properties: Sequence[Property], where: _Round, values_only: bool = False) -> None:
        self.found = None
        self.values_only = values_only
        asked = list(properties)
        spent, started = time.thread_time(), time.monotonic()

        def judge(drawn: list[Case]) -> None:
            if self.found is not None and time.thread_time() - self.found_at > SHRINK_SECONDS:
                raise _ShrunkLongEnough
            used = max(time.thread_time() - spent, (time.monotonic() - started) / PATIENCE)
            if self.found is None and used > where.seconds:
                return
            for p in [self.found[0]] if self.found is not None else list(asked):
                try:
                    self._ask(p, _share_of(p, drawn) if where.sweep else drawn)
                except OutOfTime:
                    if p.judges_gradients:
                        raise
                    asked.remove(p)
                    self.report.reasons[f"{p.name}: a call took longer than {self.watch.seconds:g} seconds"] += 1
            self.watch.pause()

        strategy = self._strategy(where)
        with _current_build_context.with_value(None):  # a check inside a user's own @given is no accident
            test: Any = hypothesis.given(strategy)(judge)
        kind = self.subjects[0][0].kind
        key = f"{kind.__module__}.{kind.__qualname__}:{where.regime.value}:{where.sweep}:"
        key += f"{','.join(p.name for p in properties)}:{values_only}"
        test.hypothesis.inner_test._hypothesis_internal_add_digest = key.encode()
        if self.seed is not None:
            test = hypothesis.seed(self.seed)(test)
        try:
            with _current_build_context.with_value(None):
                self._settings(where.examples)(test)()
        except (_Violation, _ShrunkLongEnough, hypothesis.errors.Flaky):
            if self.found is None:
                raise
        finally:
            self.watch.pause()

    def _ask(self, p: Property, drawn: Sequence[Case]) -> None:
        for case, verdict in p.judge(drawn):
            if verdict.status is Status.VIOLATED and not (self.values_only and verdict.exception is not None):
                if self.found is None:
                    self.found_at = time.thread_time()
                self.found = (p, case, verdict)
                raise _Violation
            if self.found is None and not self.values_only:
                self._count(p, case, verdict)

    def _count(self, p: Property, case: Case, verdict: Verdict) -> None:
        self.report.verdicts.setdefault(p.name, Counter())[verdict.status.value] += 1
        if not p.judges_gradients:
            return
        asked = id(case.sampling)
        if verdict.status is Status.HOLDS:
            self.report.cases += 1
            self.decided_inputs.setdefault(asked, set()).update(verdict.decided_inputs)
            self.resolutions.append(verdict.resolution)
        else:
            self.report.undecided += 1
            self.report.reasons[verdict.reason] += 1

    def _strategy(self, where: _Round) -> st.SearchStrategy[list[Case]]:
        if self.inputs is None:
            return (sweeps if where.sweep else cases)(where.subjects, where.regime)
        arrays = self.inputs if isinstance(self.inputs, st.SearchStrategy) else st.just(tuple(self.inputs))
        return st.builds(self._case_at, arrays, st.sampled_from(self.subjects), st.integers(0, 255))

    @staticmethod
    def _case_at(arrays: Sequence[Any], choice: tuple[Subject, Sampling], seed: int) -> list[Case]:
        subject, sampling = choice
        return [Case(subject, tuple(np.array(a, dtype=float) for a in arrays), seed, sampling)]

    @staticmethod
    def _settings(examples: int) -> hypothesis.settings:
        return hypothesis.settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
        )
