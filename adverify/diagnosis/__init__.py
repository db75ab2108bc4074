"""What kind of mistake explains a failure: looked for among known ones, and verified before it is said.

A mistake of a gradient is fitted to witnesses, inputs at which the true gradient was measured: the falsifying example
and others, larger and generic, so that a transposition is told from a factor. Applied to what backward gives it has to
yield the true gradient at each of them. A module put here is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from adverify.diagnosis.base import GRADIENT, Mistake, faults_of, kinds, mistakes_of
from adverify.diagnosis.gathering import FEW_AXES, Stopwatch, gather, ranks_of
from adverify.diagnosis.witness import Witness, is_slight, scale_of
from adverify.isolation import OutOfTime
from adverify.report import Diagnosis, Failure

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

MEASURING_SECONDS = 0.5
SECONDS = 1.5
LEAST = 2
"""Witnesses that must be wrong, and as many that must be far from the falsifying example."""


def diagnose(failure: Failure) -> tuple[Diagnosis, ...]:
    """Explain a failure; empty if no known mistake fits.

    Parameters
    ----------
    failure : Failure
        With its shrunk case. The op is called again.

    Returns
    -------
    tuple of Diagnosis
    """
    stopwatch = Stopwatch()
    watch = failure.case.subject.watch
    try:
        with np.errstate(all="ignore"):
            if failure.property not in GRADIENT:
                return _faults(failure) or _mistakes(failure, stopwatch)
            if failure.verdict.exception is None:
                return _mistakes(failure, stopwatch) or _faults(failure)
            found = _faults(failure)
            return (_mistakes(failure, stopwatch) if _only_raises(found) else ()) + found
    except OutOfTime:
        return ()
    finally:
        if watch is not None:
            watch.pause()


def _only_raises(found: Sequence[Diagnosis]) -> bool:
    """Whether nothing is known but the exception: at other shapes there may be a gradient that says more."""
    return [d.kind for d in found] == ["exception"]


def _said(explain: Callable[..., str], *about: Any) -> str:
    """Ask one kind of mistake; the op, which is called again, may do anything, and then this kind is not named."""
    try:
        return explain(*about)
    except Exception:
        return ""


def _faults(failure: Failure) -> tuple[Diagnosis, ...]:
    for fault in faults_of(failure.property):
        text = _said(fault.explain, failure)
        if text:
            return (Diagnosis(fault.kind, text),)
    return ()


def _mistakes(failure: Failure, stopwatch: Stopwatch) -> tuple[Diagnosis, ...]:
    candidates = mistakes_of(failure.property)
    if not candidates:
        return ()
    witnesses = gather(failure.case, stopwatch, MEASURING_SECONDS)
    found: dict[tuple[str, str], list[str]] = {}
    for i, name in enumerate(failure.case.names):
        explained = _explained(candidates, witnesses, i, stopwatch)
        if explained is not None:
            mistake, text = explained
            found.setdefault((mistake.kind, text), []).append(f"{name}.grad")
    return tuple(Diagnosis(kind, _sentence(names, text)) for (kind, text), names in found.items())


def _sentence(names: Sequence[str], text: str) -> str:
    """Say of one gradient, or of each of several, what is wrong with it."""
    return f"{names[0]} {text}" if len(names) == 1 else f"each of {', '.join(names)} {text}"


def _explained(
    candidates: Sequence[Mistake], witnesses: Sequence[Witness], i: int, stopwatch: Stopwatch
) -> tuple[Mistake, str] | None:
    """Find the simplest mistake that fits all witnesses; else all of some kind, the falsifying example's first."""
    known = [w for w in witnesses if w.is_known(i)]
    scale = scale_of(known, i)
    for which, some in _groups(known):
        if not _can_tell(some, i):
            continue
        some.sort(key=lambda w: (not w.wrong(i).any(), w.near))  # what does not fit is then seen at once
        slight = is_slight(some, i, scale)
        for mistake in (m for m in candidates if m.is_slight or not slight):
            if not mistake.in_groups and len(some) < len(known):
                continue
            if stopwatch.seconds > SECONDS:
                return None
            text = _said(mistake.explain, some, i)
            if text:
                return mistake, text + which + _part_of_domain(some[0])
    return None


def _can_tell(witnesses: Sequence[Witness], i: int) -> bool:
    """Whether there are enough witnesses, also far from the falsifying example, to say what holds for their kind."""
    wrong = sum(bool(w.wrong(i).any()) for w in witnesses)
    far = sum((not w.near or w.case.sampling.given) for w in witnesses)
    return wrong >= LEAST and far >= LEAST


def _groups(witnesses: Sequence[Witness]) -> Iterator[tuple[str, list[Witness]]]:
    """Give witnesses with words for what they share: all, those of several elements or of one, those of some ranks."""
    if not witnesses:
        return
    given = ", at these inputs" if witnesses[0].case.sampling.given else ""
    several = [any(a.size > 1 for a in w.arrays) for w in witnesses]
    known = {_ranks(w) for w in witnesses}
    if len(known) > 1 or len({ranks_of(s) for s in witnesses[0].case.sampling.telling}) == 1 or given:
        yield given, list(witnesses)
    if len(set(several)) > 1 and len(known) > 1:
        how_many = "more than one element" if several[0] else "one element"
        yield (
            f", for inputs of {how_many}{given}",
            [w for w, s in zip(witnesses, several, strict=True) if s is several[0]],
        )
    own = _ranks(witnesses[0])
    for ranks in dict.fromkeys(map(_ranks, witnesses)):
        if ranks != own and sum(ranks) > FEW_AXES:
            continue  # of many axes there are too few shapes to tell what holds for all
        alike = [w for w in witnesses if _ranks(w) == ranks]
        yield f", for {_in_words(alike)}{given}", alike
        larger = [w for w in alike if any(a.size > 1 for a in w.arrays)]
        if 0 < len(larger) < len(alike):
            yield f", for {_in_words(larger)} of more than one element{given}", larger


def _in_words(witnesses: Sequence[Witness]) -> str:
    """Say how many axes the inputs have, or which shapes, if no others were seen."""
    names, first = witnesses[0].case.names, witnesses[0].arrays
    if len({tuple(a.shape for a in w.arrays) for w in witnesses}) == 1 and any(a.ndim for a in first):
        return " and ".join(f"{n} of shape {a.shape}" for n, a in zip(names, first, strict=True))
    return " and ".join(f"{a.ndim}-d {n}" for n, a in zip(names, first, strict=True))


def _part_of_domain(witness: Witness) -> str:
    """Say where the inputs lie, if that is below something: there may be other inputs above."""
    below = ((n, d) for n, d in zip(witness.case.names, witness.case.sampling.domains, strict=True)
             if np.isfinite(d.high) and not np.isfinite(d.low))  # fmt: skip
    return "".join(f", for {name} in {domain}" for name, domain in below)


def _ranks(witness: Witness) -> tuple[int, ...]:
    return ranks_of(tuple(a.shape for a in witness.arrays))


__all__ = ["diagnose", "kinds"]
