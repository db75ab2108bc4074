"""What an op is tried with: a Subject for each choice of constructor arguments, and the inputs that suit it."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from adverify.choices import choices, defaults
from adverify.domains import Domain
from adverify.inference import infer
from adverify.isolation import Watch
from adverify.probing import NothingFits, Prober
from adverify.report import Report
from adverify.sampling import Sampling
from adverify.signatures import Signature
from adverify.subject import MalformedOp, Subject, arities, check_backward_takes, subject_of


def subjects_of(
    op: Any,
    arguments: Mapping[str, Any] | None,
    signature: str | None,
    domain: Domain | Sequence[Domain] | None,
    inputs: Any,
    report: Report,
    watch: Watch,
) -> list[tuple[Subject, Sampling]]:
    """Make a Subject for each choice of constructor arguments and number of inputs, with what was found to suit it."""
    found: list[tuple[Subject, Sampling]] = []
    refusals: list[str] = []
    for chosen in choices(op, arguments):
        subject = dataclasses.replace(subject_of(op, chosen), watch=watch)
        fitting = _fitting(subject, signature, domain, inputs, refusals)
        found += fitting
        how = subject.name if chosen else _at_defaults(op)
        report.inferred += [f"{sampling} ({how})" if how else f"{sampling}" for _, sampling in fitting]
    if not found:
        asked_by = getattr(op, "asked_by", "")
        elsewhere = "" if asked_by else ", or as attributes of the class,"
        raise NothingFits(
            f"no input that was tried suits forward: {refusals[0]}. Say what does: "
            f"{asked_by or 'check_function'}({report.name}, signature=..., domain=...){elsewhere} or inputs=[...]"
        )
    return found


def _at_defaults(op: Any) -> str:
    """Say with what a constructor was called that no values were given for: of others nothing is known."""
    kept = ", ".join(f"{name}={reprlib.repr(value)}" for name, value in defaults(op).items())
    return f"constructor: its defaults, {kept}" if kept else ""


def _fitting(
    subject: Subject, signature: str | None, domain: Domain | Sequence[Domain] | None, inputs: Any, refusals: list[str]
) -> list[tuple[Subject, Sampling]]:
    """Find what suits one Subject, of the numbers of inputs that are likeliest; note what was refused."""
    made = subject.make()  # hints may depend on the constructor's arguments
    hinted = signature or getattr(made, "signature", None)
    parsed = Signature.parse(hinted) if hinted else None
    for numbers, rare in _numbers_of_inputs(subject, parsed, inputs):
        fitting: list[tuple[Subject, Sampling]] = []
        for arity in numbers:
            check_backward_takes(subject, arity)
            domains = _domains(domain or getattr(made, "domain", None), arity)
            try:
                samplings = (
                    infer(subject, arity, parsed, domains, rare)
                    if inputs is None
                    else (_given(subject, inputs, arity),)
                )
            except NothingFits as refusal:
                refusals.append(str(refusal))
                continue
            fitting += [(subject, sampling) for sampling in samplings]
        if fitting:
            return fitting
    return []


def _numbers_of_inputs(
    subject: Subject, signature: Signature | None, inputs: Any
) -> Iterator[tuple[tuple[int, ...], bool]]:
    """Give how many inputs are tried together, and whether in shapes that few ops take; the next if none fit."""
    possible, seldom = arities(subject)
    if signature is not None:
        number = len(signature.inputs)
        if number not in possible and len(possible) == 1:
            raise MalformedOp(f"{subject.name}.forward takes {possible[0]} inputs, its signature {signature.text!r} "
                              f"names {number}")  # fmt: skip
        yield (number,), True
    elif inputs is not None and not isinstance(inputs, st.SearchStrategy):
        yield (len(inputs),), True
    elif seldom:
        yield possible, False
        yield seldom, False
        yield (*possible, *seldom), True
    else:
        yield possible, True


def _domains(domain: Domain | Sequence[Domain] | None, arity: int) -> tuple[Domain, ...] | None:
    if domain is None:
        return None
    if isinstance(domain, Domain):
        return (domain,) * arity
    if len(domain) < arity or not all(isinstance(d, Domain) for d in domain):
        raise ValueError(f"domain must be a Domain or one for each of {arity} inputs; got {domain!r}")
    return tuple(domain)[:arity]


def _given(subject: Subject, inputs: Any, arity: int) -> Sampling:
    """What is known of inputs that the caller gives: that they are to be used as they are."""
    domains, convention = (Domain(),) * arity, (False,) * arity
    if isinstance(inputs, st.SearchStrategy):
        return Sampling((), domains, 0.0, 0.0, False, convention, given=True)
    arrays = tuple(np.array(a, dtype=float) for a in inputs)
    elementwise = Prober(subject, arity, None).is_elementwise(arrays)
    return Sampling((tuple(a.shape for a in arrays),), domains, 0.0, 0.0, elementwise, convention, given=True)
