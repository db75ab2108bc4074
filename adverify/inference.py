"""What inputs an op takes, found by calling its forward: how many, of which shapes, with values from where.

Shapes: every way in which the axes of the inputs can be equal to each other or not, up to a few axes, is tried with
sizes that tell them apart; what forward takes becomes the pool that cases draw from, so drawing needs no filter.
Values: kinds of fillings are tried from the narrowest on, then bounds are located by bisection.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from adverify.domains import Domain, interval, nonzero, positive_definite, real, symmetric
from adverify.evaluation import Memory
from adverify.signatures import Signature
from adverify.subject import Arrays, Rejected, Subject

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]

MAX_ELEMENTS = 160
POOL = 96


NOISE_STEP = 3.3e-7
"""Relative: what is smooth does not show in eighth differences over it, and single precision rounds at each."""


class NothingFits(Exception):
    """No input that was tried suits forward; says what was tried and what forward answered."""


@dataclass(frozen=True)
class Sampling:
    """Where the cases of one Subject come from.

    Attributes
    ----------
    shapes : tuple of tuple of shape
        Combinations of input shapes that forward takes, the smallest first.
    domains : tuple of Domain
        One per input.
    scale : float
        The typical size of an output element.
    noise : float
        What forward rounds inside, as seen at ordinary inputs.
    elementwise : bool
        Each output element depends on one element of each input only: magnitudes may then be mixed freely.
    convention : tuple of bool
        Per input: forward reads one triangle of it only, so a symmetric gradient is as right as a triangular one.
    signature : Signature, optional
        The one that was declared.
    given : bool
        The caller gives the inputs.
    memory : Memory
        How forward is called for many points at once, as found on the way.
    """

    shapes: tuple[Shapes, ...]
    domains: tuple[Domain, ...]
    scale: float
    noise: float
    elementwise: bool
    convention: tuple[bool, ...]
    signature: Signature | None = None
    given: bool = False
    memory: Memory = field(default_factory=Memory, compare=False)

    @property
    def arity(self) -> int:
        return len(self.domains)

    @cached_property
    def degenerate(self) -> tuple[Shapes, ...]:
        """The shapes in which an input is 0-d, empty, or of a single element."""
        return tuple(s for s in self.shapes if is_degenerate(s))

    @cached_property
    def telling(self) -> tuple[Shapes, ...]:
        """Those in which no input is empty and some input has two elements; all, if there are none."""
        return tuple(s for s in self.shapes if not _is_bare(s)) or self.shapes

    def __str__(self) -> str:
        if self.given:
            return "the inputs that were given"
        kinds = sorted({tuple(len(s) for s in shapes) for shapes in self.shapes})
        axes = "; ".join(", ".join(f"{n}-d" for n in kind) for kind in kinds)
        sample = " x ".join(str(s) for s in self.shapes[len(self.shapes) // 2])
        domains = ", ".join(str(d) for d in self.domains)
        return f"{self.arity} input{'s' * (self.arity > 1)} of {axes}, such as {sample}; values: {domains}"


def infer(
    subject: Subject, arity: int, signature: Signature | None = None, domains: Sequence[Domain] | None = None
) -> Sampling:
    """Find the shapes and domains that `forward` takes; what is given as a hint is taken as it is.

    Raises
    ------
    NothingFits
    """
    prober = _Prober(subject, arity, tuple(domains) if domains else None)
    candidates = list(signature.shapes()) if signature else list(candidate_shapes(arity))
    fillings = prober.find_fillings(candidates)
    accepted = [shapes for shapes in candidates if prober.takes(shapes, fillings)]
    if not accepted:
        raise NothingFits(prober.what_was_refused())
    if not signature:
        accepted = prober.vary(accepted, fillings)
    base = _typical(accepted)
    found = domains or [prober.domain(i, base, fillings, accepted) for i in range(arity)]
    convention = tuple(not domains and prober.reads_one_triangle(i, accepted, fillings) for i in range(arity))
    found = tuple(
        prober.matrices(i, accepted, fillings) if reads and d.structure == "" else d
        for i, (d, reads) in enumerate(zip(found, convention, strict=True))
    )
    scale, noise = prober.scale(base, fillings), prober.noise(base, fillings)
    return Sampling(_pool(accepted), found, scale, noise, prober.is_elementwise(base, fillings), convention, signature)


# Shapes


def candidate_shapes(arity: int) -> Iterator[Shapes]:
    """Give shapes in which axes are alike in every possible way, with sizes that tell unlike axes apart."""
    most, total = {1: (4, 4), 2: (3, 6), 3: (3, 6), 4: (2, 6)}.get(arity, (1, arity))
    for ndims in sorted(itertools.product(range(most + 1), repeat=arity), key=lambda n: (sum(n), n)):
        if sum(ndims) <= total:
            for letters in _partitions(sum(ndims)):
                if _is_telling(letters, ndims):
                    yield _cut([(2, 3, 4, 5)[i] for i in letters], ndims)
    if arity == 1:
        yield from (((n,),) for n in (1, 3, 4, 5, 6, 7, 8))
        yield from (((2, n),) for n in (1, 4, 5, 6, 8))
        yield from (((n, n),) for n in (1, 3, 4))
        yield from (((1, 2, 4, 4),), ((2, 2, 5, 5),), ((2, 1, 3, 1, 2),))
    if arity > 1:
        yield from (((n,),) * arity for n in (1, 3, 4))
        yield from (((n, n),) * arity for n in (1, 3, 4))
    if arity in (2, 3):
        bias: list[Shape] = [(3,)] if arity == 3 else []
        yield from (
            (left, right, *[(2,)] * (arity - 2)) for left, right in itertools.permutations([(2,), (3,), (5,)], 2)
        )
        yield ((1, 2, 4, 4), (3, 2, 3, 3), *bias)
        yield ((2, 2, 5), (3, 2, 3), *bias)
        yield ((1, 1, 5, 4), (3, 1, 2, 2), *bias)
    yield ((2, 1, 3, 2),) * arity


def _is_telling(letters: Sequence[int], ndims: Sequence[int]) -> bool:
    """Of many axes, keep what real ops do: at most four names, an input's own axes all unlike or all alike."""
    if max(letters, default=0) > 3:
        return False
    if len(letters) <= 3:
        return True
    return all(len(set(own)) in (len(own), 1) for own in _cut(letters, ndims))


def _partitions(n: int) -> Iterator[list[int]]:
    """Label n axes in every way up to renaming (restricted growth strings; Knuth, TAOCP 7.2.1.5)."""

    def extend(prefix: list[int]) -> Iterator[list[int]]:
        if len(prefix) == n:
            yield prefix
            return
        for label in range(max(prefix, default=-1) + 2):
            yield from extend([*prefix, label])

    return extend([])


def _cut(sizes: Sequence[int], ndims: Sequence[int]) -> Shapes:
    ends = list(itertools.accumulate(ndims, initial=0))
    return tuple(tuple(sizes[a:b]) for a, b in itertools.pairwise(ends))


def elements(shapes: Shapes) -> int:
    return sum(math.prod(s) for s in shapes)


def is_degenerate(shapes: Shapes) -> bool:
    """Whether an input is 0-d, empty, or of a single element."""
    return any(math.prod(s) <= 1 for s in shapes)


def _is_bare(shapes: Shapes) -> bool:
    sizes = [math.prod(s) for s in shapes]
    return 0 in sizes or max(sizes) < 2


def _typical(accepted: Sequence[Shapes]) -> Shapes:
    """Small shapes in which nothing is degenerate, if there are any."""
    plain = [s for s in accepted if not is_degenerate(s)]
    return min(plain or accepted, key=lambda s: (abs(elements(s) - 4 * len(s)), s))


def _pool(accepted: Sequence[Shapes]) -> tuple[Shapes, ...]:
    """Keep a variety: the same number for each combination of dimensions, the smallest first."""
    groups: dict[tuple[int, ...], list[Shapes]] = {}
    for shapes in sorted(dict.fromkeys(accepted), key=lambda s: (elements(s), s)):
        if elements(shapes) <= MAX_ELEMENTS:
            groups.setdefault(tuple(len(s) for s in shapes), []).append(shapes)
    share = max(6, POOL // max(1, len(groups)))
    kept = [shapes for group in groups.values() for shapes in _spread(group, share)]
    return tuple(sorted(kept, key=_simplicity))


def _simplicity(shapes: Shapes) -> tuple[bool, int, int, Shapes]:
    """What a person would call simple: nothing above matrices, few elements."""
    return max(map(len, shapes)) > 2, elements(shapes), sum(map(len, shapes)), shapes


def _spread(group: list[Shapes], share: int) -> list[Shapes]:
    """`share` of them at even distances, the first and the last included."""
    if len(group) <= share:
        return group
    return [group[i] for i in sorted({round(k * (len(group) - 1) / (share - 1)) for k in range(share)})]


# Values


class _Noise:
    """Random numbers from a fixed buffer: making a generator costs more than calling forward."""

    _uniform = np.random.default_rng(0).uniform(size=8192)
    _normal = np.random.default_rng(1).normal(size=8192)

    def __init__(self, seed: int) -> None:
        self._at = 331 * seed

    def uniform(self, low: float, high: float, shape: Shape) -> np.ndarray:
        return low + (high - low) * self._take(self._uniform, shape)

    def normal(self, size: Shape) -> np.ndarray:
        return self._take(self._normal, size)

    def _take(self, buffer: np.ndarray, shape: Shape) -> np.ndarray:
        n = math.prod(shape)
        start = self._at % (buffer.size - n)
        self._at += n
        return np.array(buffer[start : start + n].reshape(shape))


Filling = Callable[[_Noise, Shape], np.ndarray]


def _symmetrised(rng: _Noise, shape: Shape) -> np.ndarray:
    a = rng.normal(size=shape)
    return a + np.swapaxes(a, -1, -2) if _is_square(shape) else a


def _positive_definite(rng: _Noise, shape: Shape) -> np.ndarray:
    if not _is_square(shape):
        return rng.uniform(0.1, 0.9, shape)
    a = rng.normal(size=shape)
    return a @ np.swapaxes(a, -1, -2) + shape[-1] * np.eye(shape[-1])


def _is_square(shape: Shape) -> bool:
    return len(shape) >= 2 and shape[-1] == shape[-2]


FILLINGS: dict[str, Filling] = {
    "unit": lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    "normal": lambda rng, shape: rng.normal(size=shape),
    "above": lambda rng, shape: rng.uniform(1.1, 3.0, shape),
    "negative": lambda rng, shape: rng.uniform(-0.9, -0.1, shape),
    "below": lambda rng, shape: rng.uniform(-3.0, -1.1, shape),
    "large": lambda rng, shape: rng.uniform(4.0, 7.0, shape),
    "larger": lambda rng, shape: rng.uniform(10.0, 40.0, shape),
    "deep": lambda rng, shape: rng.uniform(-20.0, -5.0, shape),
    "narrow": lambda rng, shape: rng.uniform(0.001, 0.01, shape),
    "symmetric": _symmetrised,
    "positive definite": _positive_definite,
}


class _Prober:
    """Asks forward, with arrays that are the same in each run."""

    def __init__(self, subject: Subject, arity: int, domains: tuple[Domain, ...] | None) -> None:
        self.subject, self.arity, self.domains = subject, arity, domains
        self.refusals: list[str] = []

    def accepts(self, arrays: Sequence[np.ndarray]) -> bool:
        try:
            self.subject.forward([np.array(a) for a in arrays])
        except Rejected as refusal:
            if len(self.refusals) < 64:
                self.refusals.append(str(refusal))
            return False
        return True

    def computes(self, arrays: Sequence[np.ndarray]) -> bool:
        """Whether forward returns, be it NaN."""
        try:
            self.subject.evaluate(arrays)
        except Rejected:
            return False
        return True

    def filled(self, shapes: Shapes, fillings: Sequence[str], seed: int = 0) -> Arrays:
        rng = _Noise(seed)
        if self.domains:
            return tuple(_inside(d, rng, s) for d, s in zip(self.domains, shapes, strict=True))
        return tuple(FILLINGS[f](rng, s) for f, s in zip(fillings, shapes, strict=True))

    def takes(self, shapes: Shapes, fillings: Sequence[str]) -> bool:
        """Whether forward takes shapes, and not only because there is nothing in them to look at."""
        if not all(self.takes(filled, fillings) for filled in _one_axis_filled(shapes)):
            return False
        return any(self.accepts(self.filled(shapes, fillings, seed)) for seed in range(2))

    def find_fillings(self, candidates: Sequence[Shapes]) -> tuple[str, ...]:
        """Find a filling per input that suits forward at some candidate, and at the larger ones of its dimensions."""
        plain, *others = ((name,) * self.arity for name in FILLINGS)
        mixed = [f for f in itertools.product(FILLINGS, repeat=self.arity) if len(set(f)) > 1] if self.arity < 3 else []
        telling = [s for s in candidates if not is_degenerate(s)]
        taken = next((s for s in telling if self.accepts(self.filled(s, plain))), None)
        if taken is not None:
            return self._sturdier(plain, taken, candidates)
        # Values are what is wrong where forward computes and gives NaN; where it raises, it may be the shapes.
        fit = [s for s in telling if self.computes(self.filled(s, plain))]
        first = fit or (telling if len(telling) < 40 else [*telling[:30], *telling[30 :: len(telling) // 60 + 1]])
        for fillings in others:
            taken = next((s for s in first if self.accepts(self.filled(s, fillings))), None)
            if taken is not None:
                return self._sturdier(fillings, taken, candidates)
        for fillings in mixed:
            if any(self.accepts(self.filled(s, fillings)) for s in first[:90]):
                return fillings
        for shapes in (s for s in candidates if is_degenerate(s)):
            for fillings in (plain, *others):
                if self.accepts(self.filled(shapes, fillings)):
                    return fillings
        raise NothingFits(self.what_was_refused())

    def _sturdier(self, fillings: tuple[str, ...], taken: Shapes, candidates: Sequence[Shapes]) -> tuple[str, ...]:
        """Prefer structured matrices if random ones of a size are refused where structured ones are not."""
        square = [s for s in candidates if any(_is_square(x) and x[-1] >= 3 for x in s)]
        square = [s for s in square if [len(x) for x in s] == [len(x) for x in taken]] or square
        for structured in ("symmetric", "positive definite"):
            choice = (structured,) * self.arity
            for shapes in square[:8]:
                random = sum(self.accepts(self.filled(shapes, fillings, seed)) for seed in range(4))
                ordered = sum(self.accepts(self.filled(shapes, choice, seed)) for seed in range(4))
                if random <= 1 and ordered == 4:
                    return choice
        return fillings

    def what_was_refused(self) -> str:
        reasons = sorted(set(self.refusals), key=self.refusals.count, reverse=True)[:2]
        return "; ".join(reasons) or "nothing was tried"

    def vary(self, accepted: Sequence[Shapes], fillings: Sequence[str]) -> list[Shapes]:
        """Add what each accepted combination becomes with other sizes: ones, zeros, equal ones, and broadcasting."""
        seen = dict.fromkeys(accepted)
        rng = np.random.default_rng(1)
        by_dimensions: dict[tuple[int, ...], list[Shapes]] = {}
        for shapes in accepted:
            by_dimensions.setdefault(tuple(len(s) for s in shapes), []).append(shapes)
        for group in by_dimensions.values():
            general = sorted(group, key=lambda s: -len({n for x in s for n in x}))[:3]
            for shapes in general:
                sizes = sorted({n for s in shapes for n in s})
                for old in sizes:
                    for new in (0, 1, 2, 4, 5):
                        self._try(_replace(shapes, {old: new}), seen, fillings)
                self._try(_replace(shapes, dict.fromkeys(sizes, 1)), seen, fillings)
                self._try(_replace(shapes, dict.fromkeys(sizes, 2)), seen, fillings)
                self._try(_replace(shapes, dict.fromkeys(sizes, 3)), seen, fillings)
                for _ in range(4):
                    new_sizes = {old: int(rng.integers(1, 6)) for old in sizes}
                    self._try(_replace(shapes, new_sizes), seen, fillings)
                if self.arity > 1:
                    for i, shape in enumerate(shapes):
                        for axis in range(len(shape)):
                            stretched = (*shape[:axis], 1, *shape[axis + 1 :])
                            self._try((*shapes[:i], stretched, *shapes[i + 1 :]), seen, fillings)
        return list(seen)

    def _try(self, shapes: Shapes, seen: dict[Shapes, None], fillings: Sequence[str]) -> None:
        if shapes not in seen and elements(shapes) <= MAX_ELEMENTS and self.takes(shapes, fillings):
            seen[shapes] = None

    def scale(self, base: Shapes, fillings: Sequence[str]) -> float:
        sizes = []
        for seed in range(6):
            try:
                outputs = self.subject.forward(self.filled(base, fillings, seed))
            except Rejected:
                continue
            sizes += [float(np.median(np.abs(y))) for y in outputs if y.size]
        return float(np.median(sizes)) if sizes else 1.0

    def noise(self, base: Shapes, fillings: Sequence[str]) -> float:
        """Take eighth differences over steps so short that of forward only rounding is left."""
        arrays = self.filled(base, fillings)
        values = []
        for k in range(24):
            try:
                outputs = self.subject.forward([a * (1 + k * NOISE_STEP) for a in arrays])
            except Rejected:
                return 0.0
            values.append(np.concatenate([y.ravel() for y in outputs]))
        if len({v.size for v in values}) > 1 or not values[0].size:
            return 0.0
        return float(np.median(np.abs(np.diff(values, 8, axis=0)).max(axis=0)) / 2**7)

    def is_elementwise(self, base: Shapes, fillings: Sequence[str]) -> bool:
        """Whether changing one element of an input changes only the output elements that it is broadcast to."""
        arrays = self.filled(base, fillings)
        try:
            (before,) = self.subject.forward(arrays)
            for i, a in enumerate(arrays):
                for j in {0, a.size - 1} if a.size else ():
                    other, own = np.array(a), np.zeros(a.shape, bool)
                    other.flat[j] *= 1.01
                    own.flat[j] = True
                    (after,) = self.subject.forward([*arrays[:i], other, *arrays[i + 1 :]])
                    if ((before != after) & ~np.broadcast_to(own, before.shape)).any():
                        return False
        except (Rejected, ValueError):  # several outputs, or one that is no broadcast of the inputs
            return False
        return before.shape == np.broadcast_shapes(*base)

    def domain(self, i: int, base: Shapes, fillings: Sequence[str], accepted: Sequence[Shapes]) -> Domain:
        """Locate where the elements of input `i` may lie, the other inputs being filled."""
        if fillings[i] == "positive definite" and any(_is_square(s[i]) for s in accepted):
            return positive_definite
        if fillings[i] == "symmetric" and any(_is_square(s[i]) for s in accepted):
            return symmetric
        if not math.prod(base[i]):
            return real
        rng = np.random.default_rng(2)
        start = [np.array(a) for a in self.filled(base, fillings)]

        def finite(values: np.ndarray) -> bool:
            return self.accepts([*start[:i], values, *start[i + 1 :]])

        def finite_at(t: float) -> bool:
            moved = start[i].copy()
            moved.flat[0] = t
            return finite(moved)

        wide = [rng.normal(size=base[i]) * s for s in (0.5, 1.0, 3.0, 3.0, 10.0)]
        if sum(finite(values) for values in wide) == len(wide):
            return real if finite_at(0.0) else nonzero
        origin = float(start[i].flat[0])
        if not finite_at(origin):
            return real
        reach = [1e-3, 0.1, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1e3]
        grid = sorted({-t for t in reach} | set(reach) | {0.0})
        low = self._edge(finite_at, origin, [t for t in reversed(grid) if t < origin])
        high = self._edge(finite_at, origin, [t for t in grid if t > origin])
        if low == -np.inf and high == np.inf:
            return real if finite_at(0.0) else nonzero
        return Domain(low, high, np.isfinite(low) and finite_at(low), np.isfinite(high) and finite_at(high))

    @staticmethod
    def _edge(finite_at: Callable[[float], bool], inside: float, outward: Sequence[float]) -> float:
        """Bisect between the last point inside and the first outside; infinite if all are inside."""
        outside = None
        for t in outward:
            if not finite_at(t):
                outside = t
                break
            inside = t
        if outside is None:
            return float(np.copysign(np.inf, outward[-1]))
        for _ in range(60):
            middle = 0.5 * (inside + outside)
            if middle in (inside, outside):
                break
            inside, outside = (middle, outside) if finite_at(middle) else (inside, middle)
        tidy = round(outside, 9)
        return tidy if abs(tidy - outside) <= 1e-12 * max(1.0, abs(outside)) else outside

    def reads_one_triangle(self, i: int, accepted: Sequence[Shapes], fillings: Sequence[str]) -> bool:
        """Whether forward ignores what is above or below the diagonal of input `i`, whatever it is."""
        square = [s for s in accepted if _is_square(s[i]) and s[i][-1] in (2, 3) and elements(s) > 0]
        return bool(square) and any(
            all(self._ignores(i, triangle, self.filled(square[-1], fillings, seed)) for seed in range(4))
            and not all(self._ignores(i, _diagonal, self.filled(square[-1], fillings, seed)) for seed in range(4))
            for triangle in (np.tril, np.triu)
        )

    def matrices(self, i: int, accepted: Sequence[Shapes], fillings: Sequence[str]) -> Domain:
        """Say which symmetric matrices forward takes as input `i`: all, or only positive definite ones."""
        square = [s for s in accepted if _is_square(s[i]) and s[i][-1] >= 2][:8]
        any_sign = [*fillings[:i], "symmetric", *fillings[i + 1 :]]
        takes = [self.accepts(self.filled(s, any_sign, seed)) for s in square for seed in range(4)]
        return symmetric if all(takes) else positive_definite

    def _ignores(self, i: int, kept: Callable[[np.ndarray], np.ndarray], arrays: Arrays) -> bool:
        """Whether forward gives the same when all of input `i` but `kept` is replaced."""
        rest = arrays[i] - kept(arrays[i])
        try:
            outputs = [
                self.subject.forward([*arrays[:i], kept(arrays[i]) + factor * rest, *arrays[i + 1 :]])
                for factor in (1.0, 1.5, -0.5)
            ]
        except Rejected:
            return False
        return all(np.array_equal(y, z) for other in outputs[1:] for y, z in zip(outputs[0], other, strict=True))


def _diagonal(a: np.ndarray) -> np.ndarray:
    return a * np.eye(a.shape[-1])


def _inside(domain: Domain, rng: _Noise, shape: Shape) -> np.ndarray:
    """Fill a shape with values well inside a declared domain."""
    if domain.structure == "positive definite":
        return _positive_definite(rng, shape)
    if domain.structure == "symmetric":
        return _symmetrised(rng, shape)
    if np.isfinite(domain.low) and np.isfinite(domain.high):
        return rng.uniform(0.9 * domain.low + 0.1 * domain.high, 0.1 * domain.low + 0.9 * domain.high, shape)
    if np.isfinite(domain.low):
        return domain.low + rng.uniform(0.1, 2.0, shape)
    if np.isfinite(domain.high):
        return domain.high - rng.uniform(0.1, 2.0, shape)
    return rng.normal(size=shape)


def _one_axis_filled(shapes: Shapes) -> Iterator[Shapes]:
    """Of shapes with several empty axes in an input, give those with one of them filled."""
    for i, shape in enumerate(shapes):
        if shape.count(0) > 1:
            for axis in np.flatnonzero(np.equal(shape, 0)):
                yield (*shapes[:i], (*shape[:axis], 1, *shape[axis + 1 :]), *shapes[i + 1 :])


def _replace(shapes: Shapes, sizes: dict[int, int]) -> Shapes:
    return tuple(tuple(sizes.get(n, n) for n in s) for s in shapes)


__all__ = ["NothingFits", "Sampling", "infer", "interval"]
