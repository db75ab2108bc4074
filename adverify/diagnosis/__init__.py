"""What kind of mistake explains a failure: looked for among known ones, and verified before it is said.

A mistake of a gradient is fitted to witnesses, inputs at which the true gradient was measured: the falsifying example
and others, larger and generic, so that a transposition is told from a factor. Applied to what backward gives it has to
yield the true gradient at each of them. A module put here is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Sequence

import numpy as np

from adverify.diagnosis.base import Mistake, faults, kinds, mistakes
from adverify.diagnosis.witness import Witness, gather
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
    started = time.monotonic()
    try:
        with np.errstate(all="ignore"):
            found = _faults(failure)
            if found or failure.verdict.exception is not None:
                return found
            return _mistakes(failure, started)
    except Exception:  # the op may do anything when it is called again, and a failure without a diagnosis is one still
        return ()


def _faults(failure: Failure) -> tuple[Diagnosis, ...]:
    for fault in faults(failure.property):
        text = fault.explain(failure)
        if text:
            return (Diagnosis(fault.kind, text),)
    return ()


def _mistakes(failure: Failure, started: float) -> tuple[Diagnosis, ...]:
    candidates = mistakes(failure.property)
    if not candidates:
        return ()
    witnesses = gather(failure.case, started + MEASURING_SECONDS)
    found: dict[tuple[str, str], list[str]] = {}
    for i, name in enumerate(failure.case.names):
        explained = _explained(candidates, witnesses, i, started + SECONDS)
        if explained is not None:
            mistake, text = explained
            found.setdefault((mistake.kind, text), []).append(f"{name}.grad")
    return tuple(Diagnosis(kind, f"{' and '.join(names)} {text}") for (kind, text), names in found.items())


def _explained(
    candidates: Sequence[Mistake], witnesses: Sequence[Witness], i: int, until: float
) -> tuple[Mistake, str] | None:
    """Find the simplest mistake that fits all witnesses; else those of the falsifying example's ranks alone."""
    own = [w for w in witnesses if _ranks(w) == _ranks(witnesses[0])] if witnesses else []
    for some in (witnesses, own) if len(own) < len(witnesses) else (witnesses,):
        if sum(int(w.wrong(i).any()) for w in some) < 2:
            continue
        for mistake in candidates:
            if time.monotonic() > until:
                return None
            text = mistake.explain(some, i)
            if text:
                return mistake, text
    return None


def _ranks(witness: Witness) -> tuple[int, ...]:
    return tuple(a.ndim for a in witness.arrays)


__all__ = ["diagnose", "kinds"]
