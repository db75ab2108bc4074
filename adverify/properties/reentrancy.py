from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adverify.case import Case
from adverify.engine import Function, Variable, variable
from adverify.properties.base import Property, differing, grads, output_names
from adverify.properties.purity import unlike
from adverify.subject import data_of
from adverify.verdict import HOLDS, Verdict, violated


class Reentrancy(Property):
    """A graph runs all forwards before all backwards; what one use keeps for itself, the next must not replace."""

    name = "reentrancy"
    rule = "one instance used several times in a graph gives what as many instances give"
    needs = ("purity", "accumulation")

    def check(self, case: Case) -> Verdict:
        verdict = self._one_after_another(case)
        if verdict is not HOLDS:
            return verdict
        uses = [case] + [c for c in (case.sibling, case.partner) if c is not None and _is_usable(c)]
        for order in (uses, uses[::-1]):
            verdict = self._interleaved(case.subject.make(), order)
            if verdict is not HOLDS:
                return verdict
        verdict = self._repeated(case)
        return verdict if verdict is not HOLDS else self._sharing_an_input(case)

    def _one_after_another(self, case: Case) -> Verdict:
        """What an instance keeps of one call must not show in the next, nor the next change what it gave."""
        op = case.subject.make()
        inputs = [variable(np.array(a)) for a in case.arrays]
        outputs = case.subject.apply(op, inputs)
        case.subject.pull_back(op, inputs, case.cotangents)
        for other in (case.sibling, case.partner, case):
            if other is None or not _is_usable(other):
                continue
            inputs = [variable(np.array(a)) for a in other.arrays]
            again = data_of(case.subject.apply(op, inputs))
            evidence = unlike(output_names(case), case.outputs, data_of(outputs))
            if evidence and other is not case:
                return violated("a later call changes the output of an earlier one", *evidence)
            evidence = differing(output_names(other), other.outputs, again)
            if evidence:
                return violated("an instance used before gives another output than a new one", *evidence)
            actual = case.subject.pull_back(op, inputs, other.cotangents)
            evidence = differing(grads(other), other.vjp, actual, other.sizes)
            if evidence:
                return violated("an instance used before gives another gradient than a new one", *evidence)
        return HOLDS

    def _interleaved(self, op: Function, uses: Sequence[Case]) -> Verdict:
        inputs = [self._forward(op, use, [variable(np.array(a)) for a in use.arrays]) for use in uses]
        for use, variables in zip(uses, inputs, strict=True):
            actual = use.subject.pull_back(op, variables, use.cotangents)
            evidence = differing(grads(use), use.vjp, actual, use.sizes)
            if evidence:
                return violated("used a second time before its backward, the op gives the first use another gradient",
                                *evidence)  # fmt: skip
        return HOLDS

    def _repeated(self, case: Case) -> Verdict:
        """Two passes over one graph: each adds its share once."""
        op = case.subject.make()
        inputs = self._forward(op, case, [variable(np.array(a)) for a in case.arrays])
        case.subject.pull_back(op, inputs, case.cotangents)
        twice = case.subject.pull_back(op, inputs, case.cotangents)
        evidence = differing(grads(case), [2 * np.asarray(v) for v in case.vjp], twice, case.sizes, slack=256)
        return (
            violated("a second pass over the same graph does not add the same again", *evidence) if evidence else HOLDS
        )

    def _sharing_an_input(self, case: Case) -> Verdict:
        """Two uses that have their first input in common, as a Variable that both may write on."""
        other = case.at((case.arrays[0], *case.sibling.arrays[1:]))
        if not _is_usable(other):
            return HOLDS
        op, shared = case.subject.make(), variable(np.array(case.arrays[0]))
        uses = [(use, [shared, *(variable(np.array(a)) for a in use.arrays[1:])]) for use in (case, other)]
        for use, inputs in uses:
            self._forward(op, use, inputs)
        for use, inputs in uses:
            case.subject.pull_back(op, inputs, use.cotangents)
        total = np.asarray(case.vjp[0]) + np.asarray(other.vjp[0])
        evidence = differing([f"{case.names[0]}.grad"], [total], [shared.grad], case.sizes[:1], slack=256)
        for use, inputs in uses:
            evidence += differing(grads(use)[1:], use.vjp[1:], [x.grad for x in inputs[1:]], use.sizes[1:])
        return violated("two uses of the op that share an input disturb each other", *evidence) if evidence else HOLDS

    @staticmethod
    def _forward(op: Function, case: Case, inputs: list[Variable]) -> list[Variable]:
        case.subject.apply(op, inputs)
        return inputs


def _is_usable(case: Case) -> bool:
    """Whether plain forward and backward work: a case that breaks another rule says nothing about this one."""
    try:
        return case.vjp is not None
    except Exception:  # what it is, the property that owns it reports
        return False
