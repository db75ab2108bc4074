"""What inputs an op takes, found by calling its forward: how many, of which shapes, with values from where.

Shapes: every way in which the axes of the inputs can be equal to each other or not, up to a few axes, is tried with
sizes that tell them apart; what forward takes becomes the pool that cases draw from, so drawing needs no filter.
Values: kinds of fillings are tried from the narrowest on, then bounds are located by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from adverify.domains import Domain
from adverify.evaluation import Memory
from adverify.locating import Locator
from adverify.noise import jump_of, noise_of
from adverify.probing import NothingFits, Prober
from adverify.sampling import Sampling
from adverify.shapes import Shapes, pool, typical
from adverify.signatures import Signature
from adverify.subject import Subject, constants
from adverify.together import taken_together
from adverify.variety import varied_shapes

SHIFTS, FACTOR = (-5.0, 5.0), 10.0
"""By which all inputs are moved, and scaled."""


def infer(
    subject: Subject,
    arity: int,
    signature: Signature | None = None,
    domains: Sequence[Domain] | None = None,
    rare: bool = True,
) -> tuple[Sampling, ...]:
    """Find the shapes and domains that `forward` takes; what is given as a hint is taken as it is.

    Where an input may lie in several intervals apart, there is one Sampling for each. Shapes that few ops take are
    tried if no others fit and `rare` is true.

    Raises
    ------
    NothingFits
    """
    prober = Locator(subject, arity, tuple(domains) if domains else None)
    candidates, fillings = prober.search([list(signature.shapes())] if signature else prober.tiers(rare))
    accepted = [shapes for shapes in candidates if prober.takes(shapes, fillings)]
    if not accepted:
        raise NothingFits(prober.what_was_refused())
    if not signature:
        accepted = varied_shapes(accepted, lambda shapes: prober.takes(shapes, fillings))
        if _is_all_single(accepted):
            raise NothingFits(f"apart from arrays of one element, {prober.what_was_refused()}")
    base = typical(accepted)
    scale, noise, jump = prober.scale(base, fillings), noise_of(prober, base, fillings), jump_of(prober, base, fillings)
    elementwise = all(prober.is_elementwise(prober.filled(base, fillings, seed)) for seed in range(2))
    if domains:
        convention = (False,) * arity
        return (Sampling(pool(accepted), tuple(domains), scale, noise, elementwise, convention, signature, jump=jump),)
    convention = tuple(prober.reads_one_triangle(i, accepted, fillings) for i in range(arity))
    found = [prober.domains_of(i, base, fillings, accepted, convention[i], elementwise) for i in range(arity)]
    written = constants(subject)
    found = [[replace(d, corners=_corners(d, written)) for d in own] for own in found]
    first = Sampling(
        pool(accepted), tuple(d for d, *_ in found), scale, noise, elementwise, convention, signature, jump=jump
    )
    others = [
        replace(first, domains=(*first.domains[:i], d, *first.domains[i + 1 :]), memory=Memory())
        for i, (_, *more) in enumerate(found)
        for d in more
    ]
    first = replace(first, homogeneous=_is_homogeneous(prober, first, base, fillings))
    known = first, *others, *_moved(prober, first, base, fillings)
    bound = taken_together(prober.accepts, known)
    return (*known, bound) if bound else known


def _is_homogeneous(prober: Prober, sampling: Sampling, base: Shapes, fillings: Sequence[str]) -> bool:
    """Whether all inputs together may leave their domains, of which the bounds are then bounds to each other."""
    arrays = prober.filled(base, fillings)
    larger = [FACTOR * a for a in arrays]
    here = zip(sampling.domains, larger, strict=True)
    return not all(d.holds(a).all() for d, a in here) and all(
        prober.accepts([factor * a for a in arrays]) for factor in (FACTOR, FACTOR**6, 1 / FACTOR)
    )


def _moved(prober: Prober, sampling: Sampling, base: Shapes, fillings: Sequence[str]) -> Iterator[Sampling]:
    """Give what else is taken where inputs are bound to each other, and not to numbers: all moved, or scaled."""
    if sampling.homogeneous:
        larger = tuple(replace(d, low=FACTOR * d.low, high=FACTOR * d.high) for d in sampling.domains)
        yield replace(sampling, domains=larger, memory=Memory())
    for shift in SHIFTS if len(base) > 1 else ():
        arrays = [a + shift for a in prober.filled(base, fillings)]
        here = zip(sampling.domains, arrays, strict=True)
        if not all(d.holds(a).all() for d, a in here) and prober.accepts(arrays):
            moved = tuple(replace(d, low=d.low + shift, high=d.high + shift) for d in sampling.domains)
            yield replace(sampling, domains=moved, memory=Memory())


def _is_all_single(accepted: Sequence[Shapes]) -> bool:
    """Whether arrays are taken, and none of more than one element: of what forward asks of several nothing is known."""
    return any(any(shapes) for shapes in accepted) and not any(
        shape == () or math.prod(shape) > 1 for shapes in accepted for shape in shapes
    )


def _corners(domain: Domain, written: Sequence[float]) -> tuple[float, ...]:
    """The corners that were found, and the numbers of the op's own, either sign, that lie in the domain."""
    others = {s * c for c in written for s in (1.0, -1.0) if s * c in domain}
    return (*domain.corners, *sorted(others - set(domain.corners), key=abs))
