"""What kind of mistake explains a failure: looked for among known ones, and verified before it is said.

A mistake of a gradient is fitted to witnesses, inputs at which the true gradient was measured: the falsifying example
and others, larger and generic, so that a transposition is told from a factor. Applied to what backward gives it has to
yield the true gradient at each of them. A module put here is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adverify.diagnosis.base import GRADIENT, Mistake, faults_of, kinds, mistakes_of
from adverify.diagnosis.witness import Witness, gather
from adverify.isolation import OutOfTime
from adverify.report import Diagnosis, Failure

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

MEASURING_SECONDS = 0.25
SECONDS = 0.5


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
    started = time.thread_time()
    watch = failure.case.subject.watch
    try:
        with np.errstate(all="ignore"):
            if failure.verdict.exception is None and failure.property in GRADIENT:
                return _mistakes(failure, started) or _faults(failure)
            return _faults(failure) or _mistakes(failure, started)
    except OutOfTime:
        return ()
    finally:
        if watch is not None:
            watch.pause()


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


def _mistakes(failure: Failure, started: float) -> tuple[Diagnosis, ...]:
    candidates = mistakes_of(failure.property)
    if not candidates:
        return ()
    witnesses = gather(failure.case, started + MEASURING_SECONDS)
    found: dict[tuple[str, str], list[str]] = {}
    for i, name in enumerate(failure.case.names):
        explained = _explained(candidates, witnesses, i, started + SECONDS)
        if explained is not None:
            mistake, text = explained
            found.setdefault((mistake.kind, text), []).append(f"{name}.grad")
    return tuple(Diagnosis(kind, _sentence(names, text)) for (kind, text), names in found.items())


def _sentence(names: Sequence[str], text: str) -> str:
    """Say of one gradient, or of each of several, what is wrong with it."""
    return f"{names[0]} {text}" if len(names) == 1 else f"each of {', '.join(names)} {text}"


def _explained(
    candidates: Sequence[Mistake], witnesses: Sequence[Witness], i: int, until: float
) -> tuple[Mistake, str] | None:
    """Find the simplest mistake that fits all witnesses; else those of some ranks, the falsifying example's first."""
    ranks = list(dict.fromkeys(_ranks(w) for w in witnesses))
    groups = [[w for w in witnesses if _ranks(w) == r] for r in ranks]
    for some in [list(witnesses), *(groups if len(groups) > 1 else [])]:
        if sum(int(w.wrong(i).any()) for w in some) < 2:
            continue
        some.sort(key=lambda w: not w.wrong(i).any())  # what does not fit is then seen at once
        which = ("" if len(some) == len(witnesses) else f", for {_in_words(some[0])}") + _part_of_domain(some[0])
        for mistake in candidates:
            if time.thread_time() > until:
                return None
            text = _said(mistake.explain, some, i)
            if text:
                return mistake, text + which
    return None


def _in_words(witness: Witness) -> str:
    """Say how many axes the inputs have."""
    return " and ".join(f"{a.ndim}-d {n}" for n, a in zip(witness.case.names, witness.arrays, strict=True))


def _part_of_domain(witness: Witness) -> str:
    """Say where the inputs lie, if that is below something: there may be other inputs above."""
    below = ((n, d) for n, d in zip(witness.case.names, witness.case.sampling.domains, strict=True)
             if np.isfinite(d.high) and not np.isfinite(d.low))  # fmt: skip
    return "".join(f", for {name} in {domain}" for name, domain in below)


def _ranks(witness: Witness) -> tuple[int, ...]:
    return tuple(a.ndim for a in witness.arrays)


__all__ = ["diagnose", "kinds"]
