"""Whether an analytic derivative agrees with the numerical one: the tolerance is derived here, nobody sets it.

Most directions are settled by the oracle's screen. One that is not is cross-examined on the full ladder, and an
accusation needs all of it: a derivative that many rungs support, on both sides, and an analytic value outside of
every slope that was seen, by more than the oracle's error, forward's rounding and roughness, and backward's own noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from adverify import oracle
from adverify.oracle import EPS, Estimate, Evaluate, Plateau
from adverify.verdict import Status

RELATIVE_FLOOR = 2e-7
"""Below it nobody is accused: backward may be less exact than forward for honest reasons."""

ROUNDED = 2e-5
"""Relative steps of forward below which it is taken to round, above which to be a staircase."""

HALF_PRECISION = 2.0**-7
"""Relative stairs of forward below this may be the rounding of its input to half precision."""

RESOLUTION = 1e-6
"""The screen's error bar, relative to the derivative, above which the full ladder is asked for a better one."""

COARSE = 1e-3
"""A relative error bar above it decides nothing, though a disagreement beyond the bar is still one."""


ABSORBED = 1e-4
"""What is left of a number's digits, relative to it, once it has been added to one so much larger."""

ABSORBED_WHOLLY = 1e30
"""A ratio at which nothing is kept, so that even the derivative's size cannot be told."""

MOST = 1e300
"""A derivative above it overflows on the way."""

FIRST = 4
"""Directions that are looked at closely before the others: one that is wrong settles the question."""

CLEARLY = 10
"""How many error bars of the screen beside a wrong direction make another one wrong."""

STEEP = 1e8
"""A slope that may be infinite as far as forward shows."""

SHOWN = 8
"""Roundings of its result that any forward makes."""

TINY = 1e-3
"""Inputs below it are tiny to an op that works with an absolute tolerance."""

UNEVEN = np.array([1.0, 0.7310585786300049, -0.4196104, 1e-6])
"""Steps in no simple ratio, so that what is periodic shows."""

STRUCTURE = 0.05
"""The length below which forward is taken to have no structure that a derivative at longer steps would miss."""


@dataclass(frozen=True)
class Question:
    """One point, one cotangent, one analytic gradient, and the directions along which it is judged.

    Attributes
    ----------
    evaluate : callable
        forward, on rows of flattened inputs.
    x, g, v : ndarray, 1-D
        The point, the cotangent, and the gradient that backward claims.
    directions : ndarray, shape (directions, x.size)
    room : ndarray, shape (x.size,)
        How far each element may move.
    scale : float
        The typical size of forward's outputs elsewhere: what is lost to rounding inside forward is seen there.
    noise : float
        The roughness of forward at usual points: what it rounds inside, which its output does not show.
    around : ndarray, shape (k, x.size)
        Ways to leave the point, each element by -2 to 2 units, so that nothing ties.
    near : ndarray, shape (2, k, x.size)
        Points a few ulps away, on the side where all elements grow and on that where they shrink; ties stay ties.
    backward : callable
        Gives the gradients that backward claims at such points, NaN where it gives none.
    corner : bool
        Whether the point was chosen for being special: kinks are then looked at from points nearby as well.
    slow : bool
        Whether forward takes points one by one only: few directions are then looked at closely.
    """

    evaluate: Evaluate
    x: np.ndarray
    g: np.ndarray
    v: np.ndarray
    directions: np.ndarray
    room: np.ndarray
    scale: float
    noise: float
    around: np.ndarray
    near: np.ndarray
    backward: Callable[[np.ndarray], np.ndarray]
    corner: bool = False
    slow: bool = False

    @property
    def resolution(self) -> float:
        """The relative precision of forward: that of doubles, unless it rounds to less inside."""
        return max(EPS, 4 * self.noise / self.scale) if self.scale else EPS

    @cached_property
    def at_x(self) -> np.ndarray:
        """The outputs at the point, flattened."""
        at_x: np.ndarray = self.evaluate(self.x[None])[0]
        return at_x

    @cached_property
    def beside(self) -> tuple[np.ndarray, np.ndarray]:
        """Points around this one, where nothing ties, and the outputs there."""
        points = self.x + 1e-4 * self.room * self.around
        return points, self.evaluate(points)

    def sample(self, directions: np.ndarray, rungs: int) -> oracle.Samples:
        return oracle.sample(self.evaluate, self.x, self.g, directions, rungs, self.resolution)


@dataclass(frozen=True)
class Finding:
    """The answer along one direction; `low` and `high` bound what is right, `error` is the bar on both."""

    status: Status
    reason: str = ""
    low: float = np.nan
    high: float = np.nan
    error: float = np.inf
    resolution: float = 0.0
    settled: float = np.nan

    @property
    def expected(self) -> float:
        """What the oracle settled on, or, at a kink, what is in the middle of all that is right."""
        return self.settled if np.isfinite(self.settled) else 0.5 * (self.low + self.high)


def judge(questions: Sequence[Question]) -> list[list[Finding]]:
    """Answer every question along each of its directions, sharing SciPy calls among all."""
    samples = [q.sample(q.directions, oracle.SCREEN_RUNGS) for q in questions]
    estimate = oracle.screen(_stack(samples))
    bounds = np.cumsum([0] + [len(q.directions) for q in questions])
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    screens = [Estimate(estimate.value[p], estimate.error[p], estimate.size[p]) for p in parts]
    answers = [_screened(q, screen) for q, screen in zip(questions, screens, strict=True)]
    doubtful = [_by_disagreement(*three) for three in zip(questions, screens, answers, strict=True)]
    _cross_examine([(q, a, rows[:FIRST]) for q, a, rows in zip(questions, answers, doubtful, strict=True)])
    _cross_examine([
        (q, a, rows[FIRST:]) for q, a, rows in zip(questions, answers, doubtful, strict=True)
        if not q.slow and not _is_violated(a)
    ])  # fmt: skip
    return [_completed(*three) for three in zip(questions, screens, answers, strict=True)]


def _by_disagreement(q: Question, screen: Estimate, findings: Sequence[Finding | None]) -> np.ndarray:
    """The directions that the screen leaves open, those first that look most wrong."""
    rows = np.flatnonzero([f is None for f in findings])
    with np.errstate(all="ignore"):
        excess = np.abs(_along(q)[rows] - screen.value[rows]) / (screen.error[rows] + 1e-300)
    return rows[np.argsort(-np.nan_to_num(excess, nan=np.inf), kind="stable")]


def _cross_examine(asked: Sequence[tuple[Question, list[Finding | None], np.ndarray]]) -> None:
    """Answer along those directions of each question, given by their numbers, on the full ladder."""
    asked = [(q, findings, rows) for q, findings, rows in asked if rows.size]
    if asked:
        for (_, findings, rows), views in zip(asked, _views([(q, rows) for q, _, rows in asked]), strict=True):
            for i, view in zip(rows, views, strict=True):
                findings[i] = view.finding()


def _is_violated(findings: Sequence[Finding | None]) -> bool:
    return any(f is not None and f.status is Status.VIOLATED for f in findings)


def _completed(q: Question, screen: Estimate, findings: Sequence[Finding | None]) -> list[Finding]:
    """Beside a direction that is surely wrong the screen tells which others are; nothing else is accused by it."""
    actual, violated = _along(q), _is_violated(findings)
    with np.errstate(all="ignore"):
        bar = CLEARLY * (screen.error + RELATIVE_FLOOR * np.maximum(np.abs(screen.value), _terms(q)))
        wrong = violated & ~(np.abs(actual - screen.value) <= bar) & np.isfinite(screen.value)
    return [
        f or Finding(Status.VIOLATED if w else Status.UNDECIDED, "not looked at closely", v, v, e)
        for f, v, e, w in zip(findings, screen.value, screen.error, wrong, strict=True)
    ]


def _stack(samples: Sequence[oracle.Samples]) -> oracle.Samples:
    none = np.zeros((0, 0), bool)  # which outputs move is not asked of them together
    return oracle.Samples(np.concatenate([s.phi for s in samples]), np.concatenate([s.size for s in samples]), none)


def _along(q: Question) -> np.ndarray:
    """<v, u> for each direction u; an element that u leaves alone does not matter, even if it is NaN."""
    with np.errstate(all="ignore"):
        products: np.ndarray = np.where(q.directions == 0, 0.0, q.directions * q.v).sum(axis=1)
    return products


def _terms(q: Question) -> np.ndarray:
    """What is added up to get <v, u>, in absolute value: each term may be off by the floor, whatever they cancel to."""
    with np.errstate(all="ignore"):
        size: np.ndarray = np.where(q.directions == 0, 0.0, np.abs(q.directions * q.v)).sum(axis=1)
    return np.where(np.isfinite(size), size, 0.0)


def _screened(q: Question, screen: Estimate) -> list[Finding | None]:
    value, error, size, actual = screen.value, screen.error, screen.size, _along(q)
    with np.errstate(all="ignore"):
        magnitude = np.maximum(np.abs(value), np.abs(actual))
        floor = RELATIVE_FLOOR * np.maximum(magnitude, _terms(q))
        agrees = np.isfinite(actual) & (np.abs(actual - value) <= error + floor)
        relative = np.where(error == 0, 0.0, error / np.maximum(magnitude, 1e-300))
        sharp = (relative <= RESOLUTION) | (error <= EPS * 100 * size) & (magnitude <= 1e-9 * size)
    return [
        Finding(Status.HOLDS, "", v, v, e, r) if good else None
        for v, e, r, good in zip(value, error, relative, agrees & sharp, strict=True)
    ]


def _views(asked: Sequence[tuple[Question, np.ndarray]]) -> Iterator[list[_View]]:
    """Look along the directions of each question, given by their numbers, on the full ladder."""
    sampled = [q.sample(q.directions[rows], oracle.FULL_RUNGS) for q, rows in asked]
    together = _stack(sampled)
    slopes = {0: oracle.central(together), 1: oracle.one_sided(together, 1), -1: oracle.one_sided(together, -1)}
    start = 0
    for (q, rows), samples in zip(asked, sampled, strict=True):
        own = {side: d[start : start + rows.size] for side, d in slopes.items()}
        start += rows.size
        yield _views_of(q, rows, samples, own)


def _views_of(q: Question, rows: np.ndarray, samples: oracle.Samples, slopes: dict[int, np.ndarray]) -> list[_View]:
    levels = slopes[0].shape[1]
    rounding = np.maximum(samples.rounding[:, :levels], (_sensitivity(q, samples) + _inside(q, samples))[:, None])
    noise = 2 * oracle.amplification(0) * rounding * 2.0 ** np.arange(levels)
    actual, terms = _along(q), _terms(q)
    views = []
    for i, row in enumerate(rows):
        centre, right, left = (_candidates(slopes[s][i], rounding[i], samples, i, q.scale, s) for s in (0, 1, -1))
        views.append(_View(q, q.directions[row], float(actual[row]), float(terms[row]), centre, right, left,
                           samples.phi[i], slopes[0][i], noise[i], samples.moves[i],
                           4 * samples.rounding[i]))  # fmt: skip
    return views


def _sensitivity(q: Question, samples: oracle.Samples) -> np.ndarray:
    """What a few ulps of the input do to phi: an ill-conditioned forward has at least as much noise of its own."""
    with np.errstate(all="ignore"):
        drift = np.abs(q.evaluate(q.near.reshape(-1, q.x.size)) - q.at_x) * np.abs(q.g)
        drift = np.where(np.isfinite(drift), drift, 0.0).max(axis=0, initial=0.0)
        return np.asarray(0.5 * np.where(samples.moves, drift, 0.0).sum(axis=1))


def _inside(q: Question, samples: oracle.Samples) -> np.ndarray:
    """What forward rounds inside, where that is more than its result shows: as much as it does at usual points."""
    if q.noise <= SHOWN * EPS * q.scale:
        return np.zeros(len(samples.moves))
    return q.noise * (samples.moves @ np.abs(q.g))


def _candidates(
    d: np.ndarray, rounding: np.ndarray, samples: oracle.Samples, row: int, scale: float, side: int
) -> list[Plateau]:
    """The plateaus of one ladder; where one vanishes, its error is the smallest change that forward can show."""
    phi, size = np.abs(samples.phi[row]), samples.size[row]
    phi = phi[{0: slice(None), 1: slice(0, 1), -1: slice(1, 2)}[side]]
    moved = phi[np.isfinite(phi) & (phi > 0)]
    smallest = float(moved.min()) if moved.size else 0.0
    magnitude = max(scale, float(np.nan_to_num(size[:, -1]).max()))
    runs = []
    coarse = phi[:, :8][np.isfinite(phi[:, :8])]
    reference = float(np.median(coarse)) if coarse.size else 0.0
    for p in oracle.plateaus(d, rounding, reference, side):
        if p.value == 0 and smallest <= ROUNDED * magnitude:
            last_change = np.flatnonzero(d[: p.finest + 1])
            vanishes = max(p.coarsest, int(last_change[-1]) + 1 if last_change.size else 0)
            p = replace(p, error=max(p.error, 2 * smallest * 2.0**vanishes))
        runs.append(p)
    return runs


@dataclass(frozen=True)
class _View:
    """All that is known along one direction."""

    q: Question
    direction: np.ndarray
    actual: float
    terms: float
    centre: list[Plateau]
    right: list[Plateau]
    left: list[Plateau]
    phi: np.ndarray
    fine_slopes: np.ndarray
    fine_noise: np.ndarray
    moves: np.ndarray
    rounding: np.ndarray

    def finding(self) -> Finding:
        right, left = self._nearest(self.right), self._nearest(self.left)
        if right is not None and left is not None and abs(right.value - left.value) > _slack(right, left):
            return self._at_kink(right, left)
        if right is None and left is None and (not self.centre or self._jumps()):
            return Finding(Status.UNDECIDED, self._why_nothing())
        if not self.centre:
            return self._at_edge(right, left)
        return self._smooth()

    def _nearest(self, plateaus: list[Plateau]) -> Plateau | None:
        """The plateau nearest to the point, unless it only says that forward is too coarse to move."""
        firm = [p for p in plateaus if self._is_firm(p)]
        return firm[-1] if firm else None

    def _jumps(self) -> bool:
        """Whether phi, on both sides, is as far from zero when steps are fine as when they are coarse."""
        with np.errstate(all="ignore"):
            size = np.where(np.isfinite(self.phi), np.abs(self.phi), np.nan)
            fine, coarse = size[:, size.shape[1] // 2 :], size.max(axis=1, where=~np.isnan(size), initial=0.0)
            stays: np.ndarray = (np.isnan(fine) | (fine > 0.5 * coarse[:, None])).all(axis=1)
        return bool(stays.all())

    def _is_firm(self, p: Plateau) -> bool:
        change = np.where(np.isfinite(self.phi), np.abs(self.phi), 0.0).max()
        return bool(p.error <= max(1e-6 * change, 0.0 if p.flat else COARSE * abs(p.value)))

    def _agrees(self, value: float, error: float) -> bool:
        bar = error + RELATIVE_FLOOR * max(abs(value), self.terms) + self._floor()
        return bool(np.isfinite(self.actual)) and abs(self.actual - value) <= bar

    def _floor(self) -> float:
        """What rounding inside forward hides where its output happens to be small."""
        g = np.abs(self.q.g)
        hidden = max(self.q.scale, self.q.noise / EPS) * float(g.max(initial=0.0))
        if not np.nan_to_num(self.phi).any():
            hidden = max(hidden, float(g @ np.nan_to_num(np.abs(self.q.at_x))))
        return 16 * EPS * hidden + 1e-300

    def _smooth(self) -> Finding:
        firm = [p for p in self.centre if self._is_firm(p)]
        best = firm[-1] if firm else self.centre[-1]
        for p in self.centre:
            tells_apart = p is best or p.error < abs(best.value - self.actual)
            if self._agrees(p.value, p.error) and tells_apart:
                relative = p.error / max(abs(p.value), 1e-300) if p.error else 0.0
                if relative <= COARSE or p.error <= self._floor():
                    return Finding(Status.HOLDS, "", p.value, p.value, p.error, relative)
                return Finding(Status.UNDECIDED, "the numerical derivative's error bar is too wide", p.value, p.value)
        if best.span < 6 or not firm or self._is_plausible_below(best):
            return Finding(Status.UNDECIDED, "the numerical derivative does not settle at any step")
        telling = abs(best.value - self.actual)
        seen = [best, *(p for p in self.centre + self.right + self.left if p.error < telling)]
        low, high = min(p.value for p in seen), max(p.value for p in seen)
        if len(self.centre) == 1 and abs(high - low) <= COARSE * max(abs(high), abs(low)):
            low = high = best.value
        return self._accuse(low, high, best.error, [best], "")

    def _at_kink(self, right: Plateau, left: Plateau) -> Finding:
        low, high = sorted((right.value, left.value))
        if self._is_plausible_below(right) or self._is_plausible_below(left):
            return Finding(Status.UNDECIDED, "the numerical derivative does not settle at any step")
        return self._accuse(low, high, right.error + left.error, [right, left], "kink")

    def _at_edge(self, right: Plateau | None, left: Plateau | None) -> Finding:
        """One side decides if the other leaves the domain; at a jump there is nothing to agree with."""
        side, other = (right, 1) if right is not None else (left, 0)
        if side is None or not self._is_outside(other):
            return Finding(Status.UNDECIDED, "forward jumps at the point, or next to it")
        return self._accuse(side.value, side.value, side.error, [side], "edge")

    def _is_outside(self, side: int) -> bool:
        """Whether forward is not defined on one side of the point, however near."""
        beside = np.flatnonzero(np.isfinite(self.phi[1 - side]))[-4:]
        return not np.isfinite(self.phi[side, beside]).any()

    def _is_plausible_below(self, p: Plateau) -> bool:
        """Whether finer steps than a plateau's fit the analytic value: structure too small to settle on, not noise."""
        if not np.isfinite(self.actual):
            return False
        finer = self.fine_slopes[p.finest + 1 :]
        noise = self.fine_noise[p.finest + 1 :]
        telling = 0.1 * abs(self.actual - p.value)
        with np.errstate(all="ignore"):
            near = np.minimum(noise + 0.01 * abs(self.actual), telling)
            fits = (np.abs(finer - self.actual) <= near) & (noise <= telling)
        return bool((fits[:-2] & fits[1:-1] & fits[2:]).any()) if fits.size > 2 else False

    def _accuse(self, low: float, high: float, error: float, seen: Sequence[Plateau], where: str) -> Finding:
        """Accuse if nothing excuses; `low` and `high` bound the slopes seen."""
        coarsest, finest = min(p.coarsest for p in seen), min(p.finest for p in seen)
        if not np.isfinite(self.actual):
            excuse = (
                self._excuse(ABSORBED_WHOLLY)
                or self._overflows(low, high)
                or self._leaves_range()
                or self._may_be_steep()
                or self._cancels()
            )
            return Finding(Status.UNDECIDED if excuse else Status.VIOLATED, excuse or where, low, high, error)
        error += RELATIVE_FLOOR * max(abs(low), abs(high), self.terms) + self._floor()
        if self._outside(low, high, error):
            error += self._hidden(2.0**-coarsest) + self._roughness(coarsest) + self._backward_noise(coarsest)
        if self._outside(low, high, error) and (self.q.corner or where == "kink" or low != high):
            low, high, error = self._nearby(low, high, error)
        if self._outside(low, high, error):
            excuse = (
                self._excuse(ABSORBED / self.q.resolution)
                or self._unresolved(finest)
                or self._is_longer_than_the_element(finest)
                or self._is_flat_somewhere(low, high)
                or self._is_on_small_stairs(low, high)
                or self._is_ill_conditioned()
                or self._is_uneven(low, high)
                or self._fits_own_scale()
            )
            settled = np.nan if where == "kink" else seen[0].value
            status = Status.UNDECIDED if excuse else Status.VIOLATED
            return Finding(status, excuse or where, low, high, error, settled=settled)
        if where == "kink" or low == high:
            size = max(abs(low), abs(high))
            change = float(np.abs(np.nan_to_num(self.phi)).max())
            if error > COARSE * max(size, change):
                return Finding(Status.UNDECIDED, "the numerical derivative's error bar is too wide", low, high, error)
            return Finding(Status.HOLDS, where, low, high, error, error / size if size else 0.0)
        return Finding(Status.UNDECIDED, "a kink is closer than the oracle can tell apart", low, high, error)

    def _roughness(self, coarsest: int) -> float:
        """What forward's noise, or jumps of an iteration's length, do to a slope.

        A pole or a bend next to the plateau is neither: seen from farther away it is one place among many.
        """
        step = 2.0**-coarsest
        near, *far = (oracle.roughness(self._phi(reach * step * oracle.GRID)) for reach in (4, 32, 256))
        together = float(np.sqrt(np.count_nonzero(self.direction)))  # slopes between jumps add up, jumps average out
        return 8 * together * min(float(near.max()), max(float(np.median(r)) for r in far)) / step

    def _phi(self, t: np.ndarray) -> np.ndarray:
        q = self.q
        with np.errstate(all="ignore"):
            phi: np.ndarray = (q.evaluate(q.x + t[:, None] * self.direction) - q.at_x) @ q.g
        return phi

    def _excuse(self, absorbed: float) -> str:
        """Say why a disagreement proves nothing: what floating point cannot show at these magnitudes."""
        size = np.abs(self.q.x[(self.q.x != 0) & self._involved()])
        if size.size and size.max() > absorbed * size.min():
            return "the magnitudes are so far apart that forward loses the small ones"
        return ""

    def _is_on_small_stairs(self, low: float, high: float) -> str:
        """Say that forward is flat at the point, and on another stair so near that it may just round its input."""
        moved = (self.direction != 0) & (self.q.x != 0)
        if low != 0 or high != 0 or not moved.any():
            return ""
        reach = HALF_PRECISION / float(np.abs(self.direction[moved] / self.q.x[moved]).max())
        jumps = np.count_nonzero(np.diff(self._phi(reach * oracle.GRID)))
        return "forward has stairs too small to tell from rounding" if jumps else ""

    def _is_longer_than_the_element(self, finest: int) -> str:
        """Say that the steps that settle are longer than an element, so that the slope may be that at zero."""
        moved = (self.direction != 0) & (self.q.x != 0)
        step = np.abs(self.direction[moved]) * 2.0**-finest
        return "all steps that settle are longer than the element" if (np.abs(self.q.x[moved]) < step).any() else ""

    def _is_flat_somewhere(self, low: float, high: float) -> str:
        """Say that backward's zero fits a side on which forward does not move, though by its slope it should."""
        expected = max(abs(low), abs(high)) * 2.0 ** -np.arange(self.phi.shape[1])
        flat = (self.phi == 0) & (expected > 100 * self.rounding)
        fits = self.actual == 0 and (flat.sum(axis=1) >= 4).any()
        return "forward has stairs, and the point is on one" if fits else ""

    def _is_ill_conditioned(self) -> str:
        """Say that the last bits of the inputs decide what forward gives; unlike `near`, these steps break ties."""
        q = self.q
        ulps = np.spacing(np.abs(q.x)) * np.sign(q.around[:16]) * np.array([[1.0], [2.0]]).repeat(8, axis=0)
        with np.errstate(all="ignore"):
            at_x = q.at_x
            along = np.abs(q.evaluate(q.x + UNEVEN[:, None] * self.direction) - at_x)
            moves = (along != 0).any(axis=0)
            change = np.abs(q.evaluate(q.x + ulps) - at_x).max(axis=0) * np.abs(q.g)
            size = np.fmax(np.abs(at_x), np.nan_to_num(along).max(axis=0)) * np.abs(q.g)
        lost = (change[moves] > COARSE * size[moves]) | ~np.isfinite(change[moves])
        return "forward is so ill-conditioned that the last bits of its inputs decide" if lost.any() else ""

    def _is_uneven(self, low: float, high: float) -> str:
        """Say that forward at tiny inputs jumps as they are scaled, like an iteration with an absolute tolerance."""
        if np.abs(self.q.x).max() > TINY:
            return ""
        scaled = self.q.x * 2.0 ** (np.arange(-32, 32)[:, None] / 32)
        phi = self.q.evaluate(scaled) @ self.q.g
        jumps = np.abs(np.diff(phi[np.isfinite(phi)], 8)) / 2**7
        gap = max(low - self.actual, self.actual - high)
        return "forward jumps at this magnitude" if jumps.size and jumps.max() > 0.01 * gap else ""

    def _overflows(self, low: float, high: float) -> str:
        """Say that the true derivative, per unit of the input, is itself out of the range of floats."""
        with np.errstate(all="ignore"):
            steepest = max(abs(low), abs(high)) / np.abs(self.direction[self.direction != 0]).min()
        return "" if steepest < MOST else "the derivative is too large for floats"

    def _may_be_steep(self) -> str:
        """Say that what large outputs do not show may well be an infinite slope."""
        bound = self._hidden(1.0) / float(np.abs(self.direction[self.direction != 0]).min())
        return "the outputs are too large to show how steep they are" if bound > STEEP else ""

    def _leaves_range(self) -> str:
        """Say that backward's gradient is finite, and only times the step that was asked for it is not."""
        finite = np.isfinite(self.q.v[self.direction != 0]).all()
        return "the change over a step is too large for floats" if finite else ""

    def _fits_own_scale(self) -> str:
        """Say that steps in proportion to a tiny element, far below those that settle, fit the analytic value."""
        moved = self.direction != 0
        own = np.abs(np.where(self.q.x == 0, np.inf, self.q.x / np.where(moved, self.direction, 1.0)))[moved].min()
        if not own < 2.0**-12:
            return ""
        samples = oracle.sample(self.q.evaluate, self.q.x, self.q.g, 0.3 * own * self.direction[None], 24)
        with np.errstate(all="ignore"):
            slopes = oracle.central(samples)[0] / (0.3 * own)
            fits = np.abs(slopes - self.actual) <= COARSE * abs(self.actual)
        return "only steps as small as the element itself show its slope" if (fits[:-1] & fits[1:]).any() else ""

    def _involved(self) -> np.ndarray:
        """Which elements take part in what moves along the direction: the others' magnitudes do not matter."""
        q, moved = self.q, self.direction != 0
        with np.errstate(all="ignore"):
            at_x = q.at_x
            along = q.evaluate(q.x + UNEVEN[:, None] * self.direction)
            largest = np.where(moved, np.abs(q.x).max(), q.x)  # moves what a small step is too small to be seen in
            usual = np.where(moved, UNEVEN[1] * q.x / np.abs(q.x).max(), q.x)  # floats are dense there
            moves = (np.concatenate([along, q.evaluate(np.stack([largest, usual]))]) != at_x).any(axis=0)
            others = np.flatnonzero(~moved)
            changes = np.zeros(others.size, bool)
            for size in np.abs(q.x[moved]).max() * UNEVEN[:2]:
                points = np.tile(q.x, (others.size, 1))
                points[np.arange(others.size), others] = size
                changes |= (q.evaluate(points)[:, moves] != at_x[moves]).any(axis=1)
        involved: np.ndarray = moved.copy()
        involved[others] = changes
        return involved

    def _unresolved(self, finest: int) -> str:
        """Say that structure of the usual size, such as a period or a step, is too small to be seen where x is huge.

        The length of the structure is 1, or, if forward has none of its own, the size of an element that stays.
        """
        reach = float(np.abs(self.direction).max()) * 2.0**-finest
        moved = self.direction != 0
        if reach <= STRUCTURE or self._is_scale_free(moved):
            return ""
        others = np.abs(self.q.x[~moved & (self.q.x != 0) & self._involved()])
        if reach <= STRUCTURE * others.min(initial=np.inf) and self._is_scale_free(np.ones_like(moved)):
            return ""
        return "at this magnitude floats are too coarse for what forward may do between them"

    def _is_scale_free(self, shrinking: np.ndarray) -> bool:
        """Whether forward has no length of its own: f(x / 2**k) is f(x) times a power of two, down to usual sizes."""
        exponent = max(1, int(np.log2(np.abs(self.q.x[shrinking]).max(initial=1.0))))
        shrunk = np.ldexp(self.q.x, -np.linspace(0, exponent, 5).astype(int)[:, None] * shrinking)
        outputs = np.abs(self.q.evaluate(shrunk))
        changing = (outputs != outputs[0]).any(axis=0)
        if not changing.any():
            return True
        size = outputs[:, changing] @ np.abs(self.q.g[changing])
        if not (np.isfinite(size) & (size > 0)).all():
            return False
        degree = np.log2(size[0] / size[-1]) / exponent
        drops = np.log2(size / size[0]) + degree * np.linspace(0, exponent, 5).astype(int)
        return bool(np.abs(drops).max() < 1e-9)

    def _cancels(self) -> str:
        """Say that infinite slopes of several outputs cancel, by asking again with weights that do not cancel."""
        weights = np.abs(self.q.g) * np.random.default_rng(0).uniform(0.5, 1.5, self.q.g.shape)
        samples = oracle.sample(self.q.evaluate, self.q.x, weights, self.direction[None], oracle.FULL_RUNGS)
        reference = float(np.nanmedian(np.abs(samples.phi[0, :, :8]))) if np.isfinite(samples.phi).any() else 0.0
        for side in (0, 1, -1):
            d = oracle.central(samples) if side == 0 else oracle.one_sided(samples, side)
            if oracle.plateaus(d[0], samples.rounding[0, : d.shape[1]], reference, side):
                return ""
        return "the slopes of the outputs are infinite, and only cancel for this cotangent"

    def _outside(self, low: float, high: float, error: float) -> bool:
        return not low - error <= self.actual <= high + error

    def _hidden(self, step: float) -> float:
        """What outputs may move that are so large that they do not show it.

        Which outputs depend on the element is seen where all inputs are of ordinary size.
        """
        q, size = self.q, np.abs(self.q.x).max(initial=0.0)
        with np.errstate(all="ignore"):
            scaled = q.x / size
            depends = self._depends(np.where(scaled == 0, q.x, scaled)) | self._depends(
                np.copysign(np.clip(np.abs(q.x), 0.25, 4.0), q.x)
            )
            silent = np.where(depends & ~self.moves, np.abs(q.at_x * q.g), 0.0)
        return 4 * EPS * float(np.nan_to_num(silent).sum()) / step

    def _depends(self, usual: np.ndarray) -> np.ndarray:
        """Which outputs move with the elements of the direction, seen from another point."""
        own = UNEVEN[:2, None] * np.where(self.direction != 0, np.abs(usual).max(initial=0.0), 0.0)
        moved: np.ndarray = np.abs(self.q.evaluate(usual + own) - self.q.evaluate(usual[None])[0]).max(axis=0) > 0
        return moved

    def _backward_noise(self, coarsest: int) -> float:
        """How much backward's values along the direction scatter among neighbouring floats of one side.

        Not against the point itself, whose value may be a convention at a kink. Where digits cancel, neighbouring
        floats may give the same; then it shows as roughness in most places of a longer stretch.
        """
        near = self._claimed(self.q.near.reshape(-1, self.q.x.size)).reshape(self.q.near.shape[:2])
        with np.errstate(all="ignore"):
            scatter = near.max(axis=1) - near.min(axis=1)
        stretch = self._claimed(self.q.x + 2.0**-coarsest * oracle.GRID[:, None] * self.direction)
        return 4 * float(np.where(np.isfinite(scatter), scatter, 0.0).max()) + 8 * float(
            np.median(oracle.roughness(stretch))
        )

    def _claimed(self, points: np.ndarray) -> np.ndarray:
        """What backward says of the slope along the direction, at several points."""
        with np.errstate(all="ignore"):
            along: np.ndarray = np.where(self.direction == 0, 0.0, self.q.backward(points) * self.direction).sum(axis=1)
        return along

    def _nearby(self, low: float, high: float, error: float) -> tuple[float, float, float]:
        """Widen the slopes to Clarke's generalised directional derivative, from points where nothing ties.

        A subgradient of a function like sort or median need not lie between the two one-sided slopes at the point
        (Clarke, Optimization and Nonsmooth Analysis, 1983, section 2.1).
        """
        points, outputs = self.q.beside
        t = 2.0**-27
        with np.errstate(all="ignore"):
            ahead = self.q.evaluate(points + t * self.direction)
            slopes = (ahead - outputs) * self.q.g / t
        finite = np.isfinite(slopes).all(axis=1)
        if not finite.any():
            return low, high, error
        # Outputs have kinks independently of each other, in more combinations than points can show.
        slopes, size = slopes[finite], float((np.abs(ahead[finite]) @ np.abs(self.q.g)).max())
        near = float(slopes.min(axis=0).sum()), float(slopes.max(axis=0).sum())
        coarse = 1e-3 * max(map(abs, near)) + 16 * EPS * size / t
        if low - coarse <= near[0] and near[1] <= high + coarse:  # no kink nearby: they only say the same less well
            return low, high, error
        return min(low, near[0]), max(high, near[1]), error + coarse

    def _why_nothing(self) -> str:
        if not np.isfinite(self.phi).any():
            return "forward is not finite around the point"
        if self._is_outside(0) or self._is_outside(1):
            return "the slope is infinite, or does not settle, at the end of the domain"
        if self._jumps():
            return "forward jumps at the point"
        return "the numerical derivative does not settle at any step"


def _slack(right: Plateau, left: Plateau) -> float:
    return right.error + left.error + 1e-5 * max(abs(right.value), abs(left.value))
