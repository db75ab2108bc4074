"""What an op keeps from one call to another, and what it draws."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from adverify.case import Case
from adverify.diagnosis.base import Fault
from adverify.diagnosis.witness import fresh, is_same
from adverify.engine import Variable
from adverify.report import Failure
from adverify.state import set_state, state_of
from adverify.subject import Arrays, BackwardRaised


class Stale(Fault):
    """backward uses what the instance kept of another call.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                self.output = np.exp(x.data)
                return variable(self.output)

            def backward(self, x, grad):
                x.grad += grad * self.output
    """

    kind = "stale"
    properties = ("reentrancy", "purity", "composition")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        if hasattr(case.subject.kind, "asked_by"):  # what a program keeps is none of its author's
            return ""
        for other in (case.partner, case.sibling, case):
            if other is None:
                continue
            for blame in (_latest_forward, _earlier_call, _second_pass):
                names = blame(case, other)
                if names:
                    kept = " and ".join(f"self.{n}" for n in names)
                    return _SAYS[blame.__name__].format(kept=kept, plural="" if len(names) > 1 else "s")
        return ""


_SAYS = {
    "_latest_forward": "backward uses {kept}, which the latest forward replaced: "
    "an earlier use of the instance gets the values of a later one",
    "_earlier_call": "{kept} stay{plural} as the instance's first call left it, and later calls use it",
    "_second_pass": "backward changes {kept}, so that a second pass gives something else",
}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [n for n, v in after.items() if n not in before or not _is_alike(before[n], v)]


def _is_alike(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, Variable) or isinstance(b, Variable):
        return a is b
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return a is b


def _latest_forward(case: Case, other: Case) -> list[str]:
    op = case.subject.make()
    inputs, others = fresh(case), fresh(other)
    case.subject.apply(op, inputs)
    first = copy.deepcopy(state_of(op))
    case.subject.apply(op, others)
    names = _changed(first, state_of(op))
    if not names or _is_right(case, op, inputs):
        return []
    set_state(op, state_of(op) | {n: first[n] for n in names if n in first})
    return names if _is_right(case, op, fresh(case)) else []


def _earlier_call(case: Case, other: Case) -> list[str]:
    """Let `other` come first, and see which attributes of the instance are to blame for what `case` then gets."""
    op = case.subject.make()
    new = copy.deepcopy(state_of(op))
    others = fresh(other)
    case.subject.apply(op, others)
    _pulled(other, op, others)
    names = _changed(new, state_of(op))
    inputs = fresh(case)
    case.subject.apply(op, inputs)
    if not names or _is_right(case, op, inputs):
        return []
    set_state(op, new)
    inputs = fresh(case)
    case.subject.apply(op, inputs)
    return names if _is_right(case, op, inputs) else []


def _second_pass(case: Case, other: Case) -> list[str]:
    op, inputs = case.subject.make(), fresh(case)
    case.subject.apply(op, inputs)
    ready = copy.deepcopy(state_of(op))
    _pulled(case, op, inputs)
    names = _changed(ready, state_of(op))
    if not names or _is_right(case, op, fresh(case)):
        return []
    set_state(op, copy.deepcopy(ready))
    return names if _is_right(case, op, fresh(case)) else []


def _pulled(case: Case, op: Any, inputs: Sequence[Variable]) -> Arrays | None:
    try:
        return case.subject.pull_back(op, inputs, [np.array(g) for g in case.cotangents])
    except BackwardRaised:
        return None


def _is_right(case: Case, op: Any, inputs: Sequence[Variable]) -> bool:
    """Whether backward gives, on an instance in the state it is in, what it gives on a new one."""
    for x in inputs:
        x.grad = np.zeros(x.data.shape)
    given = _pulled(case, op, inputs)
    return given is not None and all(
        is_same(np.asarray(a, float), np.asarray(b, float)) for a, b in zip(given, case.vjp, strict=True)
    )


class KeptOnVariable(Fault):
    """backward uses what another call left on a Variable.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x, y):
                y.other = x.data
                return variable(np.vdot(x.data, y.data))

            def backward(self, x, y, grad):
                x.grad += grad * y.data.reshape(x.data.shape)
                y.grad += grad * y.other.reshape(y.data.shape)
    """

    kind = "stale"
    properties = ("reentrancy", "composition", "aliasing")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        op, inputs = case.subject.make(), fresh(case)
        case.subject.apply(op, inputs)
        kept = _kept_on(inputs, case)
        if kept:
            return f"forward keeps {kept} on its input, where another use replaces it"
        _pulled(case, op, inputs)
        kept = _kept_on(inputs, case)
        other = case.at(case.arrays)
        other.__dict__["cotangents"] = tuple(2 * g for g in case.cotangents)  # where a cached property keeps it
        if not kept or _is_right(other, op, inputs) or not _is_right(other, op, fresh(case)):
            return ""
        return f"backward keeps {kept} on its input, and another use of that input gets it"


def _kept_on(inputs: Sequence[Variable], case: Case) -> str:
    """Name what inputs hold that new ones do not."""
    pairs = zip(case.names, inputs, fresh(case), strict=True)
    return " and ".join(sorted(f"{n}.{a}" for n, x, new in pairs for a in set(vars(x)) - set(vars(new))))


class Nondeterministic(Fault):
    """The same call gives something else the second time.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.exp(x.data))

            def backward(self, x, grad):
                x.grad += grad * np.exp(x.data) * np.random.normal()
    """

    kind = "nondeterministic"
    properties = ("determinism",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason + (": it draws from NumPy's global random state" if _draws(failure.case) else "")


def _draws(case: Case) -> bool:
    """Whether the same state of NumPy's global generator gives the same result each time, and another one another."""
    results: dict[int, Arrays] = {}
    for seed in (0, 0, 1, 0, 1, 1, 0):
        np.random.seed(seed)  # noqa: NPY002  # what the op may draw from
        result = case.subject.forward(case.arrays) + case.subject.vjp(case.arrays, case.cotangents)
        first = results.setdefault(seed, result)
        if not all(is_same(np.asarray(a), np.asarray(b)) for a, b in zip(first, result, strict=True)):
            return False
    return any(not is_same(np.asarray(a), np.asarray(b)) for a, b in zip(results[0], results[1], strict=True))
