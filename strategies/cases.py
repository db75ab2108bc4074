"""Cases: one draw of structure, from which several sets of values are judged."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from adverify.strategies.values import Regime, decode, indices, structured, table, width
from hypothesis import strategies as st

from adverify.case import Case
from adverify.domains import Domain, real
from adverify.ops.broadcasting import unbroadcast
from adverify.sampling import Sampling
from adverify.shapes import Shapes, is_broadcast, is_degenerate, is_empty, pattern_of, varied
from adverify.subject import Arrays, Rejected, Subject
from adverify.together import arrays_of

SCALES = (1e200, 1e3, 1e-200, 1e-8, 1e160, 1e100, 1e-160, 1e-3, 1e180, 1e8, 1e-180, 1e-30)
"""Magnitudes of a whole input: of any four in a row, the square of one overflows, and that of another underflows."""

SMALL = (0.1, 0.03, 0.3, 0.01)
"""Factors of usual inputs at which a series that is cut early, or the wrong one, still shows."""

ALIKE = 1
"""In place of a number of different values: all elements of an input are to be equal, whatever they are."""

SAME = 0
"""In place of such a number: all inputs of one shape and domain are to be equal."""


@st.composite
def arrays(
    draw: st.DrawFn, shape: tuple[int, ...], domain: Domain = real, regime: Regime = Regime.ORDINARY
) -> np.ndarray:
    """Draw an array of a shape, with values from a domain.

    Parameters
    ----------
    shape : tuple of int
    domain : Domain
    regime : Regime
        ORDINARY values are generic; SPECIAL ones tie, vanish and lie at ends; EXTREME ones are huge and tiny.

    Examples
    --------
    >>> from adverify.domains import positive
    >>> bool((arrays((2,), positive).example() > 0).all())
    True
    """
    n = int(np.prod(shape)) * width(regime)
    return decode(draw(st.binary(min_size=n, max_size=n)), shape, domain, regime)


@st.composite
def cases(
    draw: st.DrawFn,
    subjects: Sequence[tuple[Subject, Sampling]],
    regime: Regime = Regime.ORDINARY,
    structures: int = 2,
    sets: int = 5,
) -> list[Case]:
    """Draw up to `sets` cases of each of a few structures, the first with one of other shapes as its partner.

    Parameters
    ----------
    subjects : sequence of (Subject, Sampling)
        A Function with each of its constructor arguments and arities.
    regime : Regime
        The kind of values.
    structures : int
        How many combinations of a Subject and shapes there are at most; shrinks to one.
    sets : int
        How many sets of values share a structure at most; shrinks to one.
    """
    chosen = []
    for _ in range(draw(st.sampled_from((1, *(structures,) * 5)))):
        subject, sampling = subjects[draw(st.integers(0, len(subjects) - 1))]
        at = draw(st.integers(0, len(sampling.telling) - 1))
        chosen.append((subject, sampling, at))
    count = draw(st.sampled_from((1, *(sets,) * 5)))
    modes = ["all"]
    if regime is Regime.ORDINARY and not all(s.elementwise for _, s, _ in chosen):
        modes = ["all"] * 4 + ["small"]
    if regime is Regime.EXTREME:
        modes = ["all", "all", "scaled"] if all(s.elementwise for _, s, _ in chosen) else ["one", "scaled", "scaled"]
    repeated = [(subject, sampling, sampling.telling[at]) for subject, sampling, at in chosen for _ in range(count)]
    drawn = _drawn(draw, repeated, regime, modes)
    for subject, sampling, at in chosen:
        first = next((i for i, c in enumerate(drawn) if c.subject is subject and c.sampling is sampling), None)
        if first is not None:
            others = [other for other, s in subjects if other is not subject and s.arity == sampling.arity]
            relative = others[drawn[0].seed % len(others)] if others else None
            partner = _partner(drawn[first], sampling.telling, at)
            drawn[first] = replace(drawn[first], partner=partner, relative=relative)
    return drawn


@st.composite
def sweeps(
    draw: st.DrawFn, subjects: Sequence[tuple[Subject, Sampling]], regime: Regime = Regime.ORDINARY, most: int = 64
) -> list[Case]:
    """Draw cases of all shapes, or of `most` spread over them: one each, or one of them.

    There are few shapes, and a mistake may be in any of them alone, so that every one is to be met.

    Parameters
    ----------
    subjects : sequence of (Subject, Sampling)
    regime : Regime
    most : int
    """
    every = [(subject, sampling, shapes) for subject, sampling in subjects for shapes in sampling.shapes]
    kinds = [(id(subject), pattern_of(shapes)) for subject, _, shapes in every]
    at = draw(st.integers(0, len(every) - 1))
    alone = draw(st.sampled_from((True, *(False,) * 9)))
    return _drawn(draw, every[at : at + 1] if alone else varied(every, kinds, most, at), regime, ["all"])


def _drawn(
    draw: st.DrawFn, structures: Sequence[tuple[Subject, Sampling, Shapes]], regime: Regime, modes: Sequence[str]
) -> list[Case]:
    """Draw the values of all structures at once."""
    seed = draw(st.integers(0, 255))
    sizes = [sum(int(np.prod(s)) for s in shapes) * width(regime) for _, _, shapes in structures]
    ends = np.cumsum([0, *sizes])
    moduli = [256, 2, 3, ALIKE, 5, SAME, 16] if regime is Regime.SPECIAL else [256]  # of fewer values, more are equal
    turn = draw(st.integers(0, 20)) if len(moduli) > 1 or len(modes) > 1 else 0
    raw = draw(st.binary(min_size=int(ends[-1]), max_size=int(ends[-1])))
    made = []
    for i, (subject, sampling, shapes) in enumerate(structures):
        own = _with_fewer(raw[ends[i] : ends[i + 1]], shapes, moduli[(turn + i) % len(moduli)])
        values = _decode_all(own, shapes, sampling, regime)
        size = SCALES[(seed + i // len(modes)) % len(SCALES)]
        values = _tempered(values, sampling, modes[(turn + i) % len(modes)], size, seed + 5 * i)
        cotangent = (seed + 37 * i) % 255 + 1 if seed else 0
        case = _repaired(Case(subject, values, cotangent, sampling), regime)
        if case is not None:
            made.append(case)
    return made


def _with_fewer(raw: bytes, shapes: Shapes, modulus: int) -> bytes:
    """Leave so many different values, or one for all elements of an input, or the same for all inputs."""
    starts = itertools.pairwise(np.cumsum([0, *(int(np.prod(s)) for s in shapes)]).tolist())
    if modulus == ALIKE:
        return b"".join(raw[a : a + 1] * (b - a) for a, b in starts)
    if modulus == SAME:
        return b"".join(raw[: b - a] for a, b in starts)
    return raw if modulus == 256 else bytes(b % modulus for b in raw)


def _tempered(values: Arrays, sampling: Sampling, mode: str, size: float, seed: int) -> Arrays:
    """Keep one extreme element, or one magnitude for all: a mixture of magnitudes is only noise to some ops."""
    if mode == "all":
        return values
    if mode == "small":
        return _scaled(values, SMALL[seed % len(SMALL)], sampling)
    rng = np.random.default_rng([seed, 5])
    usual = ordinary(tuple(a.shape for a in values), sampling, rng)
    if mode == "scaled":
        return _scaled(usual, size, sampling)
    mixed = []
    for a, o, d in zip(values, usual, sampling.domains, strict=True):
        chosen = np.zeros(a.size, bool)
        chosen[seed % a.size if a.size else slice(0)] = True
        mixed.append(structured(np.where(chosen.reshape(a.shape), a, o), d, Regime.EXTREME))
    return tuple(mixed)


def _scaled(values: Arrays, size: float, sampling: Sampling) -> Arrays:
    """Values of another magnitude, but for those that leave their domain by it, unless that grows with them.

    Where inputs are bound to each other, what rounds to zero may be an end of what is taken of them.
    """
    if size < 1 and (sampling.homogeneous or sampling.together is not None):
        return values
    kept = [(v, size * v, d) for v, d in zip(values, sampling.domains, strict=True)]
    scaled = [np.where(sampling.homogeneous | d.holds(s), s, v) for v, s, d in kept]
    return tuple(structured(s, d, Regime.ORDINARY) for s, d in zip(scaled, sampling.domains, strict=True))


def simpler_cases(case: Case, regime: Regime, wrong: int = 0) -> Iterator[Case]:
    """Give cases of simpler shapes than a case has: of the simplest values, of distinct, of any, and of its own.

    Parameters
    ----------
    case : Case
    wrong : int
        The flat index with which the case's own values begin.
    regime : Regime
        As the case was drawn with.
    """
    shapes = tuple(a.shape for a in case.arrays)
    pool = list(case.sampling.degenerate if is_degenerate(shapes) else case.sampling.telling)
    before = pool[: pool.index(shapes)] if shapes in pool else []
    filled = [s for s in (pool if is_empty(shapes) else before) if not is_empty(s)]
    # Empty arrays are small, but a person learns little from them.
    for simpler in [*filled, *before] if is_empty(shapes) else filled:
        size = sum(int(np.prod(s)) for s in simpler)
        for index in (np.zeros(size), np.arange(size), 100 + 37 * np.arange(size)):
            raw = index.astype(">u2" if width(regime) == 2 else "u1").tobytes()
            made = replace(case, arrays=_decode_all(raw, simpler, case.sampling, regime), partner=None)
            if _is_taken(made):
                yield made
        own = replace(case, arrays=_cut_to(case, simpler, wrong), partner=None)
        if _is_taken(own):
            yield own


def _cut_to(case: Case, shapes: Shapes, start: int) -> Arrays:
    """Fill shapes with a case's values, beginning with those at a flat index."""
    return tuple(
        structured(np.resize(np.roll(a, -start), s), d, Regime.ORDINARY) if a.size else np.ones(s)
        for a, s, d in zip(case.arrays, shapes, case.sampling.domains, strict=True)
    )


def _decode_all(raw: bytes, shapes: Shapes, sampling: Sampling, regime: Regime) -> Arrays:
    if sampling.together is not None:
        index = indices(raw[: len(raw) // sampling.arity], regime).astype(int) % len(sampling.together)
        return arrays_of(sampling.together[index], shapes[0])
    arrays = []
    for shape, domain in zip(shapes, sampling.domains, strict=True):
        n = int(np.prod(shape)) * width(regime)
        arrays.append(decode(raw[:n], shape, domain, regime))
        raw = raw[n:]
    return tuple(arrays)


def _partner(case: Case, pool: Sequence[Shapes], at: int) -> Case | None:
    """A question of other shapes, its values made from the seed, since they do not matter for what it is for."""
    rng = np.random.default_rng([case.seed, 7])
    values = ordinary(pool[(at + 1 + case.seed) % len(pool)], case.sampling, rng)
    partner = Case(case.subject, values, case.seed, case.sampling)
    return partner if _is_taken(partner) else None


def ordinary(shapes: Shapes, sampling: Sampling, rng: np.random.Generator) -> Arrays:
    """Fill shapes with ordinary values, where how they shrink does not matter."""
    if sampling.together is not None:
        return arrays_of(rng.choice(sampling.together, int(np.prod(shapes[0]))), shapes[0])
    return tuple(
        structured(rng.choice(table(d, Regime.ORDINARY), s), d, Regime.ORDINARY)
        for s, d in zip(shapes, sampling.domains, strict=True)
    )


def _repaired(case: Case, regime: Regime) -> Case | None:
    """Keep a case that forward takes; else put ordinary values in some places, until it does."""
    rng = case.rng()
    if _is_taken(case):
        return case
    if case.sampling.elementwise and (bad := _not_finite(case)):
        mended = _with_ordinary(case, bad, regime, rng)
        if _is_taken(mended):
            return mended
    for share in (0.3, 0.6, 0.9):
        case = _with_ordinary(case, [rng.random(a.shape) < share for a in case.arrays], regime, rng)
        if _is_taken(case):
            return case
    return None


def _with_ordinary(case: Case, where: Sequence[np.ndarray], regime: Regime, rng: np.random.Generator) -> Case:
    usual = ordinary(tuple(a.shape for a in case.arrays), case.sampling, rng)
    mixed = zip(where, usual, case.arrays, case.sampling.domains, strict=True)
    return case.at(tuple(structured(np.where(w, o, a), d, regime) for w, o, a, d in mixed))


def _not_finite(case: Case) -> list[np.ndarray]:
    """Where in its inputs an elementwise forward meets a value that it has no finite output for; empty if it raises."""
    shapes = tuple(a.shape for a in case.arrays)
    try:
        output, *others = case.subject.evaluate(case.arrays)
    except Rejected:
        return []
    if others or not is_broadcast(output.shape, shapes):  # it only looked elementwise where it was asked
        return []
    return [unbroadcast((~np.isfinite(output)).astype(float), s) > 0 for s in shapes]


def _is_taken(case: Case) -> bool:
    try:
        return case.outputs is not None
    except Rejected:
        return False
