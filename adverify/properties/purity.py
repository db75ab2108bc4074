from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adverify.case import Case
from adverify.engine import Function, Variable, variable
from adverify.properties.base import Property, differing, grads, output_names
from adverify.subject import Arrays, data_of
from adverify.verdict import HOLDS, Evidence, Verdict, mismatch, violated


class Purity(Property):
    """What a call changes besides its result, another part of the program sees."""

    name = "purity"
    rule = "forward and backward change no input, no cotangent, no output, and nothing that a later call sees"
    needs = ("determinism",)

    def check(self, case: Case) -> Verdict:
        op = case.subject.make()
        inputs = [variable(np.array(a)) for a in case.arrays]
        held = [x.data for x in inputs]
        outputs = case.subject.apply(op, inputs)
        evidence = _changed(case.names, case.arrays, inputs, held)
        if evidence:
            return violated("forward changes its input", *evidence)
        cotangents = tuple(np.array(g) for g in case.cotangents)
        case.subject.pull_back(op, inputs, cotangents)
        evidence = _changed(case.names, case.arrays, inputs, held)
        if evidence:
            return violated("backward changes its input", *evidence)
        evidence = _unlike(["grad"] * len(cotangents), case.cotangents, cotangents)
        if evidence:
            return violated("backward changes the cotangent it is given", *evidence)
        evidence = _unlike(output_names(case), case.outputs, data_of(outputs))
        if evidence:
            return violated("backward changes the output", *evidence)
        return self._later_calls(case, op, outputs)

    def _later_calls(self, case: Case, op: Function, outputs: Sequence[Variable]) -> Verdict:
        for other in (case.sibling, case.partner, case):
            if other is None or not _is_usable(other):
                continue
            inputs = [variable(np.array(a)) for a in other.arrays]
            again = data_of(case.subject.apply(op, inputs))
            evidence = differing(output_names(other), other.outputs, again)
            if evidence:
                return violated("an instance used before gives another output than a new one", *evidence)
            evidence = differing(
                grads(other), other.vjp, case.subject.pull_back(op, inputs, other.cotangents), other.sizes
            )
            if evidence:
                return violated("an instance used before gives another gradient than a new one", *evidence)
        evidence = _unlike(output_names(case), case.outputs, data_of(outputs))
        if evidence:
            return violated("a later call changes the output of an earlier one", *evidence)
        return HOLDS


def _is_usable(case: Case) -> bool:
    """Whether plain forward and backward work: a case that breaks another rule says nothing about this one."""
    try:
        return case.vjp is not None
    except Exception:  # what it is, the property that owns it reports
        return False


def _changed(
    names: Sequence[str], before: Arrays, inputs: Sequence[Variable], held: Sequence[np.ndarray]
) -> tuple[Evidence, ...]:
    return _unlike(names, before, tuple(x.data for x in inputs)) or _unlike(names, before, tuple(held))


def _unlike(names: Sequence[str], before: Arrays, after: Arrays) -> tuple[Evidence, ...]:
    found = []
    for name, b, a in zip(names, before, after, strict=True):
        if np.shape(b) != np.shape(a):
            found.append(Evidence(name, np.asarray(b), np.asarray(a), np.zeros(()), np.ones((), bool)))
        elif not np.array_equal(b, a):
            found.append(mismatch(name, b, a))
    return tuple(found)
