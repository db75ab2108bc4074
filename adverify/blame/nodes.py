"""Each node's own VJP, at its actual input and with its actual cotangent, against the oracle."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adverify.blame.base import Blame, Judgement, accused
from adverify.blame.chain_rule import Chain, NodeRaised
from adverify.case import Case
from adverify.directions import moved_off
from adverify.domains import Domain, real
from adverify.evaluation import Memory
from adverify.expression import Apply, Expression
from adverify.inference import infer
from adverify.probing import NothingFits
from adverify.properties.gradient import SpecialValues
from adverify.sampling import Sampling
from adverify.signatures import Signature
from adverify.state import state_of
from adverify.subject import Arrays, Rejected, Subject, input_names, is_immutable
from adverify.verdict import HOLDS, Status, Verdict, undecided

MOST_REMEMBERED = 4096

TRIES, NEXT = 4, 1e-6
"""How often forward is asked whether it takes what is so far away, relative to the input, on some side of each."""


@dataclass(frozen=True, eq=False)
class Local(Case):
    """A node by itself: its op, at its actual input, with its actual cotangent."""

    actual: Arrays = ()

    @property
    def cotangents(self) -> Arrays:
        return self.actual


def judge_nodes(e: Expression, chain: Chain) -> Judgement:
    """Judge each node's own VJP."""
    asked = [
        i
        for i, n in enumerate(e.nodes)
        if isinstance(n, Apply) and chain.is_reached(i) and _is_telling(chain.complete(e, i))
    ]
    cases = [_local(e, i, chain.complete(e, i)) for i in asked]
    verdicts = _asked(cases)
    doubts = []
    for i, case, verdict in zip(asked, cases, verdicts, strict=True):
        if verdict.status is Status.UNDECIDED:
            doubts.append(f"{e.nodes[i].subject.kind.__name__}: {verdict.reason}")  # type: ignore[union-attr]
        elif verdict.status is Status.VIOLATED:
            confirmed = _confirmed(case, verdict)
            if confirmed.status is Status.VIOLATED:
                where = _peculiarity(case, confirmed)
                if where and _asked([moved_off(case)])[0].status is Status.VIOLATED:
                    where = ""  # it is wrong beside the ties as well
                text = f"{e.name(i)}{where}: by itself, {confirmed.reason}"
                return accused(Blame("op", i, text, confirmed.evidence, confirmed.exception), e)
            doubts.append(f"{e.nodes[i].subject.kind.__name__}: {confirmed.reason}")  # type: ignore[union-attr]
    decided = len(cases) - len(doubts)
    return Judgement(undecided(doubts[0]) if doubts else HOLDS, None, decided)


def judge_raising_node(e: Expression, raised: NodeRaised) -> Judgement:
    """Judge a node whose backward raised: is its input one that it has to take?"""
    verdict = _asked([_local(e, raised.node, raised.cotangents)])[0]
    if verdict.status is not Status.VIOLATED:
        return Judgement(undecided(str(raised.cause)))
    text = f"{e.name(raised.node)}: {verdict.reason}"
    return accused(Blame("op", raised.node, text, (), raised.cause.cause), e)


def _is_telling(cotangents: Arrays) -> bool:
    return all(np.isfinite(g).all() for g in cotangents) and any(np.any(g) for g in cotangents)


def _asked(cases: Sequence[Case]) -> list[Verdict]:
    """Ask the oracle about all cases at once, in their order."""
    found = {id(case): verdict for case, verdict in SpecialValues().judge(cases)}
    return [found[id(case)] for case in cases]


def _local(e: Expression, i: int, cotangents: Arrays) -> Local:
    n = e.nodes[i]
    assert isinstance(n, Apply)
    arrays = tuple(np.array(a, float) for a in e.operands(i))
    outputs = n.subject.forward(arrays)
    actual = tuple(np.array(g, y.dtype) for g, y in zip(cotangents, outputs, strict=True))
    return Local(n.subject, arrays, 1, _sampling(n.subject, arrays), actual=actual)


_MEMORIES: dict[Any, tuple[tuple[Domain, ...] | None, Memory]] = {}
_INFERRED: dict[Any, tuple[Sampling, ...]] = {}


def _sampling(subject: Subject, arrays: Arrays) -> Sampling:
    """What is known of a node before anything is inferred: what its op declares."""
    key = _identity(subject)
    if key not in _MEMORIES:
        if len(_MEMORIES) >= MOST_REMEMBERED:
            _MEMORIES.clear()
        declared = getattr(subject.make(), "domain", None)
        _MEMORIES[key] = declared, Memory()
    declared, memory = _MEMORIES[key]
    domains = (declared,) * len(arrays) if isinstance(declared, Domain) else tuple(declared or ())[: len(arrays)]
    domains = domains or (real,) * len(arrays)
    return Sampling((tuple(a.shape for a in arrays),), domains, 0.0, 0.0, False, (False,) * len(arrays), memory=memory)


def _identity(subject: Subject) -> Any:
    """What two Subjects have in common that do the same, as far as can be told; the same one each time for one."""
    state = state_of(subject.make())
    return (subject.kind, *sorted(state.items())) if all(map(is_immutable, state.values())) else subject.make


def _confirmed(case: Local, verdict: Verdict) -> Verdict:
    """Ask again with all that can be inferred about the op: nobody is accused for a lack of knowledge."""
    subject = case.subject
    key = (_identity(subject), len(case.arrays))
    if key not in _INFERRED:
        made = subject.make()
        hinted = getattr(made, "signature", None)
        domains = None if getattr(made, "domain", None) is None else case.sampling.domains
        try:
            _INFERRED[key] = infer(subject, len(case.arrays), Signature.parse(hinted) if hinted else None, domains)
        except NothingFits:
            _INFERRED[key] = (case.sampling,)
    inside = [s for s in _INFERRED[key] if all(d.holds(a).all() for d, a in zip(s.domains, case.arrays, strict=True))]
    hinted = getattr(subject.make(), "domain", None) is not None
    if not inside and (hinted or not _is_taken_around(case)):
        return undecided("the input is outside of the domain that was inferred")
    sampling = inside[0] if inside else _widened(_INFERRED[key][0], case.arrays)
    return _asked([dataclasses.replace(case, sampling=sampling)])[0]


def _is_taken_around(case: Local) -> bool:
    """Whether forward takes what is next to an input on all sides: it then reads some elements, or none, as others."""
    rng = case.rng()
    try:
        for _ in range(TRIES):
            case.subject.forward([a + NEXT * (1 + np.abs(a)) * rng.choice([-1.0, 1.0], a.shape) for a in case.arrays])
    except Rejected:
        return False
    return True


def _widened(sampling: Sampling, arrays: Arrays) -> Sampling:
    """What was inferred, but that inputs which lie elsewhere may lie anywhere."""
    held = zip(sampling.domains, arrays, strict=True)
    domains = tuple(d if d.holds(a).all() else Domain(structure=d.structure) for d, a in held)
    return dataclasses.replace(sampling, domains=domains)


def _peculiarity(case: Local, verdict: Verdict) -> str:
    """Say what is special about the input where the gradient is wrong: ties, zeros."""
    names = input_names(case.subject, len(case.arrays))
    for evidence in verdict.evidence:
        name = evidence.what.removesuffix(".grad")
        if name not in names or evidence.wrong.shape != case.arrays[names.index(name)].shape:
            continue
        array = case.arrays[names.index(name)]
        wrong = np.argwhere(evidence.wrong)
        if not len(wrong):
            continue
        first = tuple(int(j) for j in wrong[0])
        if array.ndim == 2:
            column, row = array[:, first[1]], array[first[0]]
            if np.sum(column == array[first]) > 1:
                return f", with ties in column {first[1]} of {name}"
            if np.sum(row == array[first]) > 1:
                return f", with ties in row {first[0]} of {name}"
        elif np.sum(array == array[first]) > 1:
            return f", with ties in {name}"
        if array[first] == 0:
            return f", where {name} is 0"
    return ""
