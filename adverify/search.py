"""The search for a violated property: rounds of Hypothesis over kinds of values, each failure shrunk by itself."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.control import _current_build_context

from adverify.case import Case
from adverify.diagnosis import diagnose
from adverify.isolation import OutOfTime, Watch
from adverify.properties import Property, dependents
from adverify.report import Failure, Report
from adverify.sampling import Sampling, unlikeness
from adverify.shapes import Shapes, is_degenerate, kind_of, varied
from adverify.strategies.cases import cases, simpler_cases, sweeps
from adverify.strategies.values import Regime
from adverify.subject import Subject
from adverify.verdict import Status, Verdict

SHRINK_SECONDS = 1.5
SIMPLER = 160
AGAIN = 3
"""How often more examples are drawn where none decided all gradients."""
BUDGET_SECONDS = 3.0
"""Of its own processor time: for a slow op fewer cases are judged; what was decided is in the report."""
PATIENCE = 4.0
"""How many times as long it may take by the clock, on a busy machine or for an op that waits."""
LEAST = 3
"""However few examples are asked for: every shape and every kind of value is to be met."""
SHARED = 3
"""Structures that are drawn together for the price of one example."""
SPARSE = 24
"""Of a sweep's cases, so many are enough for a property that is not about numbers; other ones each time."""
SHARE = {(Regime.ORDINARY, False): 0.45, (Regime.SPECIAL, False): 0.25, (Regime.EXTREME, False): 0.2,
         (Regime.ORDINARY, True): 0.06}  # fmt: skip
"""How the examples are divided among regimes, and sweeps over all shapes."""


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


class Search:
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
        self.started = time.thread_time()
        self.found_at = 0.0
        self.pace = 0.0
        self.met: Counter[Shapes] = Counter()
        self.values_only = False

    def run(self, properties: Sequence[Property]) -> None:
        for regime, sweep in SHARE:
            if self.inputs is not None and (regime is not Regime.ORDINARY or sweep):
                continue
            asked = [p for p in properties if _is_asked(p, regime, sweep)]
            self._look(asked, self._round(self.subjects, regime, sweep))
            if regime is Regime.ORDINARY and not sweep and not self.report.failures:
                self._look_again(asked)
        moot = {name for f in self.report.failures for name in dependents(f.property) - {f.property}}
        self.report.failures[:] = [f for f in self.report.failures if f.property not in moot]
        self.report.resolution = float(np.median(self.resolutions)) if self.resolutions else 0.0

    def _round(self, subjects: Subjects, regime: Regime, sweep: bool) -> _Round:
        share = SHARE[regime, sweep]
        if self.inputs is None:
            examples = max(LEAST, round(self.max_examples * share / (1 if sweep else SHARED)))
        else:
            examples = max(1, round(self.max_examples * share))
        budget, rounds = BUDGET_SECONDS * max(1.0, self.max_examples / 100), list(SHARE)
        until = budget * sum(SHARE[r] for r in rounds[: rounds.index((regime, sweep)) + 1])
        left = until - (time.thread_time() - self.started)  # what earlier rounds did not need
        return _Round(subjects, regime, sweep, examples, max(budget * share, left))

    def _look(self, asked: Sequence[Property], where: _Round) -> None:
        """Explore until nothing is violated but what is known; each property is shrunk by itself."""
        while remaining := [p for p in asked if p.name not in self.moot]:
            self._explore(remaining, where)
            if self.found is None:
                break
            p, case, verdict = self._simpler(*self._telling(remaining, where), where)
            failure = Failure(p.name, p.rule, case, verdict)
            self.report.failures.append(dataclasses.replace(failure, diagnoses=diagnose(failure)))
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
        enough = time.thread_time() + SHRINK_SECONDS
        for simpler in itertools.islice(simpler_cases(case, where.regime, _first_wrong(verdict)), SIMPLER):
            if time.thread_time() > enough:
                break
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
            if self.found is None:
                if used > where.seconds:
                    return
                drawn = self._affordable(drawn, where.sweep, where.seconds - used)
                self.met.update(_shapes_of(c) for c in drawn)
            before = time.thread_time()
            for p in [self.found[0]] if self.found is not None else list(asked):
                try:
                    self._ask(p, _share_of(p, drawn) if where.sweep else drawn)
                except OutOfTime as late:
                    if p.judges_gradients:
                        raise
                    asked.remove(p)
                    self.report.reasons[f"{p.name}: {late}"] += 1
            self.pace = (time.thread_time() - before) / max(1, len(drawn))
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

    def _affordable(self, drawn: list[Case], sweep: bool, seconds: float) -> list[Case]:
        """Keep as many as there is time for at the pace of the last ones: of shapes met least, those that tell most.

        Of a sweep a part of all kinds of shapes is kept, for some properties are asked about bare ones only.
        """
        count = math.floor(seconds / self.pace) if self.pace else len(drawn)
        if count >= len(drawn):
            return drawn
        if sweep:
            return drawn[:: math.ceil(len(drawn) / max(1, count))]
        met, order = self.met.copy(), []
        for i, shapes in enumerate(map(_shapes_of, drawn)):
            order.append((met[shapes], unlikeness(shapes), i))
            met[shapes] += 1
        return [drawn[i] for *_, i in sorted(order)[: max(1, count)]]

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
        self.report.coverage.add(case.arrays)
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
        return st.builds(self._case_at, arrays, st.sampled_from(where.subjects), st.integers(0, 255))

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


def _first_wrong(verdict: Verdict) -> int:
    """Where, in a flattened array, the first wrong element is; 0 if nothing is known of it."""
    wrong = [np.flatnonzero(e.wrong) for e in verdict.evidence]
    return next((int(w[0]) for w in wrong if w.size), 0)


def _shapes_of(case: Case) -> Shapes:
    return tuple(a.shape for a in case.arrays)


def _is_asked(p: Property, regime: Regime, sweep: bool) -> bool:
    """Whether a property has anything to say of a round."""
    return p.everywhere or (p.regime is regime and (p.judges_gradients if sweep else not p.degenerate))


def _share_of(p: Property, drawn: Sequence[Case]) -> Sequence[Case]:
    """Give the part of a sweep that a property is asked about."""
    if p.judges_gradients:
        return [c for c in drawn if is_degenerate(_shapes_of(c)) == p.degenerate]
    kinds = [kind_of(_shapes_of(c)) for c in drawn]
    return varied(drawn, kinds, SPARSE, drawn[0].seed % len(drawn)) if drawn else []
