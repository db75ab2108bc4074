"""Questions put to forward: which shapes and values it takes, where they end, how it rounds, what it ignores."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np

from adverify.axes import MANY, alike_shapes, in_ratio_shapes, single_shapes
from adverify.domains import MATRICES, Domain
from adverify.fillings import (
    ASCENDING,
    FILLINGS,
    LADDER,
    NEARBY,
    PLAIN,
    SINGLE,
    Filling,
    Noise,
    between,
    inside,
    near,
    tuples_anywhere,
)
from adverify.shapes import (
    LONGEST,
    MAX_ELEMENTS,
    Shapes,
    beside_one_number,
    candidate_shapes,
    elements,
    is_degenerate,
    is_square,
    of_lengths,
    one_axis_filled,
    rare_shapes,
    replaced,
    resized,
)
from adverify.subject import Arrays, Rejected, Subject, numbers_of

RARELY_SECONDS = 4.0
"""How long shapes that few ops take are tried, where no others fit."""

USUAL_SIZES = (10, 16, 32, 64)
"""That an op may ask for without naming them."""

STRUCTURED = tuple(name for name in FILLINGS if name in MATRICES)
"""Fillings of square matrices that say how their elements go together."""

CHANCES, CHANCE_SECONDS = 1500, 1.0
"""How many values for all inputs are tried together, and for how long at most."""

FEW_TRIES = 6
"""Taken each of so many times, one element is not taken by chance."""

MANY_TRIES = 12
"""Taken but once of so many, random elements are not refused by chance."""

SIZES = (1.0, 12.0)
"""Factors for the inputs at which it is asked whether elements mix."""


class NothingFits(Exception):
    """No input that was tried suits forward; says what was tried and what forward answered."""


class Prober:
    """Asks forward, with arrays that are the same in each run."""

    def __init__(self, subject: Subject, arity: int, domains: tuple[Domain, ...] | None) -> None:
        self.subject, self.arity, self.domains = subject, arity, domains
        self.refusals: list[str] = []
        self.taken: dict[tuple[Shapes, tuple[str, ...]], bool] = {}

    @cached_property
    def nearby(self) -> dict[str, Filling]:
        """Short stretches of numbers: those between numbers of the op's own, and others."""
        return between(numbers_of(self.subject)) | NEARBY

    @cached_property
    def fillings(self) -> dict[str, Filling]:
        return FILLINGS | self.nearby

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

    def computes_shapes(self, shapes: Shapes) -> bool:
        return self.computes(self.filled(shapes, (PLAIN,) * self.arity))

    def filled(self, shapes: Shapes, fillings: Sequence[str], seed: int = 0) -> Arrays:
        rng = Noise(seed)
        if self.domains:
            return tuple(inside(d, rng, s) for d, s in zip(self.domains, shapes, strict=True))
        return tuple(self.fillings[f](rng, s) for f, s in zip(fillings, shapes, strict=True))

    def takes(self, shapes: Shapes, fillings: Sequence[str]) -> bool:
        """Whether forward takes shapes, and not only because there is nothing in them to look at."""
        asked = shapes, tuple(fillings)
        if asked not in self.taken:
            self.taken[asked] = all(self.takes(filled, fillings) for filled in one_axis_filled(shapes)) and any(
                self.accepts(self.filled(shapes, fillings, seed)) for seed in range(2)
            )
        return self.taken[asked]

    def tiers(self, rare: bool) -> Iterator[list[Shapes]]:
        """Give shapes to try: the usual ones, those of sizes that were named in refusing them, and rare ones."""
        usual = list(candidate_shapes(self.arity))
        yield usual + (list(alike_shapes(self.computes_shapes, self.arity)) if self.arity >= MANY else [])
        if rare:
            yield list(single_shapes(self.arity))
            if 1 < self.arity < MANY:
                yield list(beside_one_number(self.arity))
            if self.arity < MANY:
                yield list(of_lengths(self.arity))
            yield list(resized(usual[:90], list(dict.fromkeys([*self.sizes_named(), *USUAL_SIZES]))))
            if self.arity >= MANY:
                yield list(in_ratio_shapes(self.computes_shapes, self.arity))
            yield self.rare(rare_shapes(self.arity))

    def search(self, tiers: Iterable[list[Shapes]]) -> tuple[list[Shapes], tuple[str, ...]]:
        """Find shapes, with a filling for each input, that suit forward."""
        for tier, candidates in enumerate(tiers):
            fillings = self.find_fillings(candidates) or (self.near_chance(candidates) if tier == 0 else None)
            if fillings is not None:
                return candidates, fillings
        raise NothingFits(self.what_was_refused())

    def sizes_named(self) -> list[int]:
        """Read the sizes that forward's refusals mention, and those of the arrays that the op holds."""
        held = [n for v in vars(self.subject.make()).values() if isinstance(v, np.ndarray) for n in v.shape]
        read = [int(n) for text in set(self.refusals) for n in re.findall(r"(?<![\d.])\d{1,3}(?![\d.])", text)]
        return sorted({n for n in (*held, *read) if 4 < n <= LONGEST})

    def rare(self, shapes: Iterable[Shapes]) -> list[Shapes]:
        """Give those of the first ranks that forward computes with, as far as there is time."""
        enough = time.thread_time() + RARELY_SECONDS
        found: list[Shapes] = []
        for combination in shapes:
            ranks = [len(s) for s in combination]
            if (found and ranks != [len(s) for s in found[0]]) or time.thread_time() > enough:
                break
            if elements(combination) <= MAX_ELEMENTS and self.computes_shapes(combination):
                found.append(combination)
        return found

    def find_fillings(self, candidates: Sequence[Shapes]) -> tuple[str, ...] | None:
        """Find a filling per input that suits forward at some candidate, and at the larger ones of its dimensions."""
        plain, *others = ((name,) * self.arity for name in FILLINGS)
        mixed = [f for f in itertools.product(FILLINGS, repeat=self.arity) if len(set(f)) > 1] if self.arity < 3 else []
        nearby = [(name,) * self.arity for name in self.nearby]
        alone = range(self.arity) if self.arity > 1 else ()
        alone_of_many = alone if self.arity > 2 else ()  # one that outweighs the others, or is in order
        others += [(*plain[:i], name, *plain[i + 1 :]) for i in alone_of_many for name in ("large", "ascending")]
        nearby += [(*plain[:i], name, *plain[i + 1 :]) for name in self.nearby for i in alone]
        telling = [s for s in candidates if not is_degenerate(s)]
        taken = next((s for s in telling if self.accepts(self.filled(s, plain))), None)
        if taken is not None:
            return self._sturdier(plain, taken, candidates)
        # Values are what is wrong where forward computes and gives NaN; where it raises, it may be the shapes.
        fit = [s for s in telling if self.computes(self.filled(s, plain))]
        first = fit or _spread(telling)
        square = [s for s in telling if any(map(is_square, s)) and self.arity > 1]
        for choices, most in ((others, None), (mixed, 90), (nearby, 6)):
            for fillings in choices:
                where = first[:most] if fillings[0] not in STRUCTURED else [*first[:most], *square]
                taken = next((s for s in where if self.accepts(self.filled(s, fillings))), None)
                if taken is not None:
                    best = self._sturdier if choices is others else self._in_order
                    return best(fillings, taken, candidates)
        return self._fitting_single([s for s in candidates if is_degenerate(s)], [plain, *others], [*mixed, *nearby])

    def near_chance(self, candidates: Sequence[Shapes]) -> tuple[str, ...] | None:
        """Find a filling per input near values that suit forward together by chance, for inputs of one shape."""
        alike = [s for s in candidates if len(set(s)) == 1 < len(s) and not is_degenerate(s)][:6]
        if not alike or self.domains:
            return None
        tuples = tuples_anywhere(np.random.default_rng(4), CHANCES, self.arity)
        usual_first = tuples[np.abs(np.log(np.abs(tuples).max(axis=1))).argsort()]
        enough = time.thread_time() + CHANCE_SECONDS
        for single, values in itertools.product(SINGLE, usual_first):
            if time.thread_time() > enough:
                break
            if self.accepts([np.full(single, v) for v in values]):
                fillings = tuple(f"near {v:g}" for v in values)
                self.fillings.update((f, near(v)) for f, v in zip(fillings, values, strict=True))
                if any(self.accepts(self.filled(s, fillings)) for s in alike):
                    return fillings
        return None

    def _fitting_single(
        self, candidates: Sequence[Shapes], usual: Sequence[tuple[str, ...]], seldom: Sequence[tuple[str, ...]]
    ) -> tuple[str, ...] | None:
        """Find a filling for inputs of one element, of which chance may suit one and not others."""
        likely = ((s, f) for s in candidates for f in usual)
        by_chance = None
        for shapes, fillings in itertools.chain(likely, ((s, f) for f in seldom for s in candidates[:6])):
            if self.accepts(self.filled(shapes, fillings)):
                if all(self.accepts(self.filled(shapes, fillings, seed)) for seed in range(1, FEW_TRIES)):
                    return fillings
                by_chance = by_chance or fillings
        return by_chance

    def _sturdier(self, fillings: tuple[str, ...], taken: Shapes, candidates: Sequence[Shapes]) -> tuple[str, ...]:
        """Prefer structured matrices if random ones of a size are refused where structured ones are not."""
        square = [s for s in candidates if any(is_square(x) and x[-1] >= 3 for x in s)]
        square = [s for s in square if [len(x) for x in s] == [len(x) for x in taken]] or square
        if any(is_square(x) for x in taken):
            sides = {x[-1] for x in taken if is_square(x)}
            square = [replaced(taken, dict.fromkeys(sides, n)) for n in (3, 4)] + square
        for structured in STRUCTURED:
            choice = (structured,) * self.arity
            for shapes in square[:8]:
                random = sum(self.accepts(self.filled(shapes, fillings, seed)) for seed in range(4))
                ordered = sum(self.accepts(self.filled(shapes, choice, seed)) for seed in range(4))
                if random <= 1 and ordered == 4:
                    return choice
        return self._in_order(fillings, taken, candidates)

    def _in_order(self, fillings: tuple[str, ...], taken: Shapes, candidates: Sequence[Shapes]) -> tuple[str, ...]:
        """Prefer what ascends if it is taken where random elements are refused: one input, or one above another."""
        alike = [s for s in candidates if [len(x) for x in s] == [len(x) for x in taken]]
        choices = [(*fillings[:i], name, *fillings[i + 1 :]) for i in range(self.arity) for name in ASCENDING]
        if 1 < self.arity <= len(LADDER):
            choices += itertools.permutations(LADDER[: self.arity])
        for shapes in [s for s in (_lengthened(taken), *alike) if any(x and x[-1] >= 4 for x in s)][:8]:
            if sum(self.accepts(self.filled(shapes, fillings, seed)) for seed in range(MANY_TRIES)) > 1:
                continue
            for choice in choices:
                if all(self.accepts(self.filled(shapes, choice, seed)) for seed in range(4)):
                    return choice
        return fillings

    def what_was_refused(self) -> str:
        reasons = sorted(set(self.refusals), key=self.refusals.count, reverse=True)[:2]
        return "; ".join(reasons) or "nothing was tried"

    def scale(self, base: Shapes, fillings: Sequence[str]) -> float:
        sizes = []
        for seed in range(6):
            try:
                outputs = self.subject.forward(self.filled(base, fillings, seed))
            except Rejected:
                continue
            sizes += [float(np.median(np.abs(y))) for y in outputs if y.size]
        return (float(np.median(sizes)) if sizes else 0.0) or 1.0

    def is_elementwise(self, arrays: Arrays) -> bool:
        """Whether changing one element of an input changes only the output elements that it is broadcast to.

        Asked of usual values and of larger ones, and of a first, a middle and a last element that moves a little, or
        past all others: what is clipped at another element, or is a running maximum, mixes only then.
        """
        try:
            return all(self._moves_its_own([size * a for a in arrays]) for size in SIZES)
        except ValueError:  # one output that is no broadcast of the inputs
            return False

    def _moves_its_own(self, arrays: Sequence[np.ndarray]) -> bool:
        try:
            outputs = self.subject.forward(arrays)
        except Rejected:
            return True  # nothing is known there
        if len(outputs) != 1 or outputs[0].shape != np.broadcast_shapes(*(a.shape for a in arrays)):
            return False
        for i, a in enumerate(arrays):
            for j in sorted({0, a.size // 2, a.size - 1}) if a.size else ():
                own = np.zeros(a.shape, bool)
                own.flat[j] = True
                for value in (1.01 * a.flat[j], 1.5 * a.max(), 0.5 * a.min()):
                    moved = [*arrays[:i], np.where(own, value, a), *arrays[i + 1 :]]
                    try:
                        (after,) = self.subject.forward(moved)
                    except Rejected:
                        continue
                    if ((outputs[0] != after) & ~np.broadcast_to(own, after.shape)).any():
                        return False
        return True


def _spread(candidates: list[Shapes]) -> list[Shapes]:
    """Give the first of many, those of which all inputs are of one shape, and some of the others."""
    if len(candidates) < 40:
        return candidates
    alike = [s for s in candidates[30:] if len(set(s)) == 1 < len(s)]
    return [*candidates[:30], *alike, *candidates[30 :: len(candidates) // 60 + 1]]


def _lengthened(shapes: Shapes) -> Shapes:
    """Let all last axes, and those that are as long, have a length at which chance puts nothing in order."""
    return replaced(shapes, {x[-1]: 5 for x in shapes if x})
