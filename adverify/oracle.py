"""The numerical derivative along directions, by SciPy, with an error bar: what the analytic one is held against.

phi(t) = <g, f(x + t u) - f(x)> is sampled at t = +-2**-j, one geometric ladder a direction. Every stencil of
`scipy.differentiate.derivative` with a step factor of two lies on that ladder, so its weights turn the samples into
one estimate per direction and rung, from steps as long as the input is large to steps of a few ulps.
A derivative is believed where neighbouring rungs agree (a `Plateau`), never because one rung claims convergence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.differentiate import derivative

EPS = float(np.finfo(np.float64).eps)
FEW_DIGITS = 1e-9
"""A relative precision of forward at which neighbouring estimates agree if they do within its noise."""

SCREEN_RUNGS = 9
FULL_RUNGS = 54
_CENTRAL_ORDER = 8
_ONE_SIDED_ORDER = 4

Evaluate = Callable[[np.ndarray], np.ndarray]
"""Takes points as rows, gives the flat outputs as rows; NaN where forward is not defined."""


@dataclass(frozen=True)
class Samples:
    """phi on the ladder, and the size of what was added up to get it.

    Attributes
    ----------
    phi : ndarray, shape (directions, 2, rungs)
        At +t and -t; NaN where forward is not finite, or the step is too short for floats.
    size : ndarray, shape (directions, 2, rungs)
        sum |g| |f| over the outputs that move along the direction: one rounding of forward is `EPS` times this.
    moves : ndarray of bool, shape (directions, outputs)
        Which outputs those are.

    Samples of several points have an axis in front.
    """

    phi: np.ndarray
    size: np.ndarray
    moves: np.ndarray

    def apart(self) -> list[Samples]:
        """Give those of each point, where there are several."""
        return [Samples(*own) for own in zip(self.phi, self.size, self.moves, strict=True)]

    @property
    def rungs(self) -> int:
        return int(self.phi.shape[2])

    @property
    def rounding(self) -> np.ndarray:
        """What rounding alone does to phi, per direction and rung."""
        size = np.where(np.isfinite(self.size), self.size, 0.0).max(axis=1)
        at_x = size[:, -1:]
        return EPS * np.maximum(size, at_x)


def sample(
    evaluate: Evaluate, x: np.ndarray, g: np.ndarray, directions: np.ndarray, rungs: int, resolution: float = EPS
) -> Samples:
    """Evaluate phi along each direction.

    Parameters
    ----------
    evaluate : callable
        forward, on rows of flattened inputs.
    x, g : ndarray, 1-D
        The point and the cotangent, flattened.
    directions : ndarray, shape (directions, x.size)
        Scaled so that t = 1 is the longest step that makes sense.
    rungs : int
        t goes down to 2**(1 - rungs).
    resolution : float
        Steps below this share of an element are left out: forward does not see them.
    """
    points = points_along(x, directions, rungs)
    ladder = evaluate(points.reshape(len(directions) * 2 * rungs, x.size)).reshape(*points.shape[:2], g.size)
    return samples_of(ladder, evaluate(x[None])[0], x, g, directions, resolution)


def points_along(x: np.ndarray, directions: np.ndarray, rungs: int) -> np.ndarray:
    """Give the points at which phi is sampled: for each direction those at +t, then those at -t.

    Parameters
    ----------
    x : ndarray, shape (..., n)
    directions : ndarray, shape (..., directions, n)
    rungs : int

    Returns
    -------
    ndarray, shape (..., directions, 2 rungs, n)
    """
    points: np.ndarray = x[..., None, None, :] + directions[..., None, :] * steps(rungs)[:, None]
    return points


def samples_of(
    outputs: np.ndarray, at_x: np.ndarray, x: np.ndarray, g: np.ndarray, directions: np.ndarray,
    resolution: float | np.ndarray,
) -> Samples:  # fmt: skip
    """Make samples of what forward gave at `points_along`, in shape (..., directions, 2 rungs, outputs), and at x."""
    with np.errstate(all="ignore"):
        change = outputs - at_x[..., None, None, :]
        known = np.isfinite(change)
        moves = (known & (change != 0)).any(axis=-2, keepdims=True)
        phi = _weighted(np.where(moves, change, 0.0), g)
        phi[~known.all(axis=-1)] = np.nan
        phi[too_short(x, directions, outputs.shape[-2] // 2, resolution)] = np.nan
        size = _weighted(np.where(moves, np.abs(outputs), 0.0), np.abs(g))
    shape = (*phi.shape[:-1], 2, phi.shape[-1] // 2)
    return Samples(phi.reshape(shape), size.reshape(shape), moves[..., 0, :])


def _weighted(values: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Sum over outputs, shape (..., directions, steps, outputs), with the weights of shape (..., outputs)."""
    *points, directions, steps, outputs = values.shape
    total = values.reshape(*points, directions * steps, outputs) @ g[..., None]
    return total.reshape(*points, directions, steps)


def too_short(x: np.ndarray, directions: np.ndarray, rungs: int, resolution: float | np.ndarray) -> np.ndarray:
    """Which steps move some element by less than what forward sees, so not as asked; (..., directions, 2 rungs)."""
    with np.errstate(all="ignore"):
        relative = np.where(directions == 0, 0.0, visible(x, resolution)[..., None, :] / np.abs(directions))
    return np.asarray(np.abs(steps(rungs)) < 8 * relative.max(axis=-1, initial=0.0)[..., None])


def visible(x: np.ndarray, resolution: float | np.ndarray) -> np.ndarray:
    """The smallest change of each element that forward sees."""
    resolution = np.asarray(resolution)[..., None]
    return np.maximum(np.spacing(np.abs(x)), resolution * np.abs(x) * (resolution > EPS))


@cache
def steps(rungs: int) -> np.ndarray:
    """The t at which phi is sampled."""
    t = 2.0 ** -np.arange(rungs)
    return np.concatenate([t, -t])


def central(samples: Samples) -> np.ndarray:
    """Estimate phi'(0) with central differences of order 8, shape (directions, rungs - 3)."""
    return _differentiate(samples, 0)


def one_sided(samples: Samples, side: int) -> np.ndarray:
    """Estimate the derivative from the right (`side` = 1) or the left (-1), shape (directions, rungs - 3)."""
    return _differentiate(samples, side)


def _differentiate(samples: Samples, side: int) -> np.ndarray:
    """Apply SciPy's stencil at every rung; NaN where a sample that it needs is not finite."""
    weights = _stencils(side, samples.rungs)
    phi = samples.phi.reshape(len(samples.phi), 2 * samples.rungs)
    usable = np.isfinite(phi)
    with np.errstate(all="ignore"):
        slopes = np.where(usable, phi, 0.0) @ weights
        slopes[~usable @ (weights != 0)] = np.nan
    return slopes


@cache
def _stencils(side: int, rungs: int) -> np.ndarray:
    """Give the weights of every sample in `derivative`'s estimate at every rung, shape (2 rungs, rungs - 3).

    The estimate is linear in the samples, so what SciPy gives for functions that are 1 at one sample and 0 at the
    others is the stencil itself, and serves any number of directions without another call.
    """
    levels = rungs - 3  # a central stencil takes four rungs; the one-sided one four, at half the factor's spacing
    basis = np.eye(2 * rungs)

    def one_sample(t: np.ndarray, which: np.ndarray) -> np.ndarray:
        _, exponent = np.frexp(t)
        rung = np.clip(1 - exponent, 0, rungs - 1)
        values = basis[which.astype(int), (t < 0) * rungs + rung]
        return np.where(t == 0, 0.0, values)

    result = derivative(
        one_sample,
        np.zeros((2 * rungs, levels)),
        args=(np.arange(2.0 * rungs)[:, None],),
        initial_step=2.0 ** -np.arange(levels),
        step_factor=4.0 if side else 2.0,
        step_direction=side,
        order=_ONE_SIDED_ORDER if side else _CENTRAL_ORDER,
        maxiter=1,
    )
    weights: np.ndarray = result.df
    return weights


@cache
def amplification(side: int) -> float:
    """How much of an error of phi's samples reaches the derivative, in units of 1 / step: the stencil's |weights|."""
    order = _ONE_SIDED_ORDER if side else _CENTRAL_ORDER
    offsets = 2.0 ** -np.arange(order if side else order // 2)
    nodes = np.concatenate([[0.0], offsets] if side else [[0.0], offsets, -offsets])
    rhs = np.zeros(nodes.size)
    rhs[1] = 1.0
    return float(np.abs(np.linalg.solve(np.vander(nodes, increasing=True).T, rhs)).sum())


@dataclass(frozen=True)
class Estimate:
    """Derivatives along several directions at once, each with an error bar; infinite where none was found.

    Attributes
    ----------
    value, error : ndarray, shape (directions,)
    size : ndarray, shape (directions,)
        sum |g| |f| over the outputs that move: the scale on which an error bar is wide or narrow.
    """

    value: np.ndarray
    error: np.ndarray
    size: np.ndarray


def screen(samples: Samples) -> Estimate:
    """Give the best-supported central estimate of each direction.

    A rung is believed as far as it agrees with the next finer one, and only if every finer rung, within what
    rounding does there, agrees too: a step that jumps a kink or a period looks converged but has no such support.
    """
    d = central(samples)
    levels = d.shape[1]
    step = 2.0 ** -np.arange(levels)
    with np.errstate(all="ignore"):
        gap = np.abs(np.diff(d, axis=1))
        measured = (gap[:, -3:] * step[-3:]).max(axis=1) / amplification(0)
        rounding = np.maximum(samples.rounding[:, :levels], np.nan_to_num(measured, nan=np.inf)[:, None])
        noise = 2 * amplification(0) * rounding / step
        bar = gap + noise[:, 1:]
        far = np.abs(d[:, 1:, None] - d[:, None, 1:]) > bar[:, :, None] + noise[:, None, 1:]
        finer = np.triu(np.ones((levels - 1, levels - 1), dtype=bool))
        bar[(far & finer).any(axis=2) | ~np.isfinite(bar)] = np.inf
    bar[:, -1] = np.inf  # nothing finer supports the last one
    best = bar.argmin(axis=1)
    rows = np.arange(len(d))
    error = bar[rows, best]
    size = np.nan_to_num(samples.size[:, :, -1].max(axis=1), nan=np.inf)
    return Estimate(np.where(np.isfinite(error), d[rows, best + 1], np.nan), error, size)


@dataclass(frozen=True)
class Plateau:
    """A run of rungs whose estimates agree: a derivative as seen at those scales.

    Attributes
    ----------
    value, error : float
    coarsest, finest : int
        The rungs it spans.
    flat : bool
        phi is exactly 0 there: a constant, or a forward too coarse to show the change.
    quiet : bool
        It is at the longest steps, and phi shows no more than rounding there.
    """

    value: float
    error: float
    coarsest: int
    finest: int
    flat: bool
    quiet: bool = False

    @property
    def span(self) -> int:
        return self.finest - self.coarsest + 1


def plateaus(
    d: np.ndarray, rounding: np.ndarray, reference: float, side: int, resolution: float = EPS
) -> list[Plateau]:
    """Find the runs of at least four rungs that agree, coarsest first.

    Neighbours agree relative to their size, or, where the derivative vanishes, relative to how much phi varies.

    Parameters
    ----------
    d : ndarray, shape (levels,)
        One direction's estimates.
    rounding : ndarray, shape (levels,)
        What rounding does to phi.
    reference : float
        How much phi varies over the coarse rungs.
    resolution : float
        The relative precision of forward: neighbours agree less closely if it has few digits.
    """
    loud = max(1e-3, min(0.1, 2e5 * resolution))
    step = 2.0 ** -np.arange(d.size)
    with np.errstate(all="ignore"):
        noise = amplification(side) * rounding / step
        gap = np.abs(np.diff(d))
        size = np.minimum(np.abs(d[1:]), np.abs(d[:-1]))
        close = np.maximum(1e-4 * size, noise[1:] * (resolution > FEW_DIGITS))
        agree = (gap <= close + 1e-300) & np.isfinite(gap) & (noise[1:] <= loud * size + 1e-300)
        agree |= (np.maximum(gap, noise[1:]) <= 1e-6 * reference) & (size <= 1e-6 * reference)
        agree |= (d[1:] == 0) & (d[:-1] == 0)
    runs = []
    for start, stop in _true_runs(agree):
        if stop - start < 3:
            continue
        seen = _scatter_beyond(gap * step[1:], stop) / step[start + 1 : stop + 1]
        bars = gap[start:stop] + 2 * np.maximum(noise[start + 1 : stop + 1], seen)
        scatter = np.maximum(bars, np.concatenate([bars[1:], bars[-1:]]))
        best = int(scatter.argmin())
        value, flat = float(d[start + best + 1]), bool((d[start : stop + 1] == 0).all())
        # Finer rungs that differ by more than their own bars are nearer to the point, and right.
        drift = float((np.abs(d[start + 1 : stop + 1] - value) - 2 * bars)[best:].max())
        error = 4 * float(scatter[best]) + max(0.0, drift) + EPS * reference * (abs(value) <= 1e-6 * reference)
        runs.append(Plateau(value, 0.0 if flat else error, start, stop, flat))
    return runs


def _scatter_beyond(change: np.ndarray, stop: int) -> float:
    """Measure the noise of phi at the rungs finer than a run: more than rounding if forward hides some of its own."""
    beyond = change[stop + 1 : stop + 9]
    beyond = beyond[np.isfinite(beyond) & (beyond > 0)]
    return float(np.median(beyond)) if beyond.size > 2 else 0.0


def _true_runs(mask: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


GRID = np.linspace(-1.0, 1.0, 64)
"""Where roughness is looked for, in units of the reach; not at 0, where a value may be a convention."""


def roughness(values: np.ndarray) -> np.ndarray:
    """Measure what is not smooth in values at the points of `GRID`, window by window: noise, and jumps.

    Eighth differences on a uniform grid annihilate what is smooth; what remains, divided by the sum of their weights,
    is noise.
    """
    finite = values[np.isfinite(values)]
    return np.abs(np.diff(finite, 8)) / 2**7 if finite.size > 8 else np.zeros(1)
