from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from adverify.case import Case
from adverify.engine import Function, Variable, variable
from adverify.properties.base import Property, differing, grads, is_usable, output_names
from adverify.properties.purity import unlike
from adverify.subject import data_of
from adverify.verdict import HOLDS, Verdict, violated


class Reentrancy(Property):
    """A graph runs all forwards before all backwards; what one use keeps for itself, the next must not replace.

    An instance that remembers something of forward on `self` remembers only its last call.

    Examples
    --------
    >>> from adverify import Function, check_case, variable
    >>> class Remembers(Function):
    ...     def forward(self, x):
    ...         self.x = x.data
    ...         return variable(x.data**2)
    ...     def backward(self, x, grad):
    ...         x.grad += 2 * grad * self.x  # of whichever call was the last
    >>> check_case(Remembers, [[1.0, 2.0]], property="reentrancy", partner=[[3.0, 4.0]])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    adverify.report.VerificationError: Remembers: breaks 'reentrancy': used a second time before its...
    ...
    """

    name = "reentrancy"
    rule = "one instance used several times in a graph gives what as many instances give"
    needs = ("purity", "accumulation")

    def check(self, case: Case) -> Verdict:
        verdict = self._one_after_another(case)
        if verdict is not HOLDS:
            return verdict
        uses = [case] + [c for c in (case.sibling, case.partner) if c is not None and is_usable(c)]
        for order in (uses, uses[::-1]):
            for last_first in (True, False):
                verdict = self._interleaved(case.subject.make(), order, last_first)
                if verdict is not HOLDS:
                    return verdict
        verdict = self._repeated(case)
        for i in range(len(case.arrays)):
            for apart in (False, True):
                verdict = self._sharing_an_input(case, i, apart) if verdict is HOLDS else verdict
        return self._beside_a_relative(case) if verdict is HOLDS else verdict

    def _one_after_another(self, case: Case) -> Verdict:
        """What an instance keeps of one call must not show in the next, nor the next change what it gave."""
        op = case.subject.make()
        inputs = [variable(np.array(a)) for a in case.arrays]
        outputs = case.subject.apply(op, inputs)
        case.subject.pull_back(op, inputs, case.cotangents)
        for other in (case.sibling, case.partner, case):
            if other is None or not is_usable(other):
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
            evidence = differing(grads(other), other.vjp, actual, other.terms)
            if evidence:
                return violated("an instance used before gives another gradient than a new one", *evidence)
        return HOLDS

    def _interleaved(self, op: Function, uses: Sequence[Case], last_first: bool) -> Verdict:
        """Run all forwards, then all backwards, in the order of a graph's pass or in that of the forwards."""
        inputs = [self._forward(op, use, [variable(np.array(a)) for a in use.arrays]) for use in uses]
        for use, variables in list(zip(uses, inputs, strict=True))[:: -1 if last_first else 1]:
            actual = use.subject.pull_back(op, variables, use.cotangents)
            evidence = differing(grads(use), use.vjp, actual, use.terms)
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
        evidence = differing(grads(case), [2 * np.asarray(v) for v in case.vjp], twice, case.terms, slack=256)
        return (
            violated("a second pass over the same graph does not add the same again", *evidence) if evidence else HOLDS
        )

    def _sharing_an_input(self, case: Case, i: int, apart: bool) -> Verdict:
        """Two uses, of one instance or of two, that have input `i` in common: a Variable that both may write on."""
        other = case.at(tuple(a if j == i else b for j, (a, b) in enumerate(_pairs(case))))
        if not is_usable(other):
            return HOLDS
        first = case.subject.make()
        instances, shared = (first, case.subject.make() if apart else first), variable(np.array(case.arrays[i]))
        uses = [(op, use, [shared if j == i else variable(np.array(a)) for j, a in enumerate(use.arrays)])
                for op, use in zip(instances, (case, other), strict=True)]  # fmt: skip
        for op, use, inputs in uses:
            self._forward(op, use, inputs)
        for op, use, inputs in uses[::-1]:
            case.subject.pull_back(op, inputs, use.cotangents)
        expected = [np.asarray(case.vjp[i]) + np.asarray(other.vjp[i])]
        names, actual, sizes = [f"{case.names[i]}.grad"], [shared.grad], [case.terms[i]]
        for _, use, inputs in uses:
            for j in (j for j in range(len(inputs)) if j != i):
                names.append(f"{use.names[j]}.grad")
                expected.append(np.asarray(use.vjp[j]))
                actual.append(inputs[j].grad)
                sizes.append(use.terms[j])
        evidence = differing(names, expected, actual, sizes, slack=256)
        return violated("two uses of the op that share an input disturb each other", *evidence) if evidence else HOLDS

    def _beside_a_relative(self, case: Case) -> Verdict:
        """Two instances with other constructor arguments, on the same Variables."""
        other = replace(case, subject=case.relative, relative=None) if case.relative else case
        if other is case or not is_usable(other):
            return HOLDS
        uses, inputs = [case, other], [variable(np.array(a)) for a in case.arrays]
        instances = [use.subject.make() for use in uses]
        for op, use in zip(instances, uses, strict=True):
            self._forward(op, use, inputs)
        for op, use in zip(instances, uses, strict=True):
            use.subject.pull_back(op, inputs, use.cotangents)
        expected = [np.add(v, w) for v, w in zip(case.vjp, other.vjp, strict=True)]
        sizes = [max(both) for both in zip(case.terms, other.terms, strict=True)]
        evidence = differing(grads(case), expected, [x.grad for x in inputs], sizes, slack=256)
        return violated(f"{case.subject.name} and {other.subject.name} on the same inputs disturb each other",
                        *evidence) if evidence else HOLDS  # fmt: skip

    @staticmethod
    def _forward(op: Function, case: Case, inputs: list[Variable]) -> list[Variable]:
        case.subject.apply(op, inputs)
        return inputs


def _pairs(case: Case) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return zip(case.arrays, case.sibling.arrays, strict=True)
