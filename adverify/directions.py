"""The directions along which a gradient is judged, and how far each element may move."""

from __future__ import annotations

import numpy as np

from adverify.case import Case, unflat
from adverify.domains import SYMMETRIC, TRIANGULAR, Domain, symmetric
from adverify.fillings import triangle
from adverify.strategies.values import Regime, structured

MAX_DIRECTIONS = 48
"""Of an input with more elements than this, half as many are moved alone, and some together."""

FEW_DIRECTIONS = 12
"""The same where points must be evaluated one by one."""

LEAST_DIRECTIONS, MOST_NUMBERS = 8, 500_000
"""Of a large input as few as that, for so many numbers in all."""

MOST_UNLIKE = 1e4
"""How much farther some elements may move than others that move with them: a large one hides what short steps do."""


def room_of(array: np.ndarray, domain: Domain) -> np.ndarray:
    """How far each element may move: in proportion to its size, and not out of its domain."""
    size = np.abs(array)
    usual = min(1.0, float(size.max(initial=0.0))) or 1.0
    room = 0.3 * (size if 0.0 in domain.without else np.maximum(size, 0.25 * usual))
    for end in (domain.low, domain.high):
        if np.isfinite(end):
            distance = np.abs(array - end)
            room = np.where(distance > 0, np.minimum(room, 0.45 * distance), room)
    room = np.where(room > 0, room, 0.075)
    is_triangle = domain.structure in TRIANGULAR and array.ndim > 1 and array.shape[-1] == array.shape[-2]
    return triangle(room, domain.structure) if is_triangle else np.asarray(room)


def inward_of(array: np.ndarray, domain: Domain) -> np.ndarray:
    """To which side elements at an end of their domain may move: 1, -1, or 0 for both."""
    return np.asarray((array == domain.low).astype(float) - (array == domain.high))


def directions_of(case: Case, x: np.ndarray, v: np.ndarray, room: np.ndarray, corner: bool) -> np.ndarray:
    """Each element by itself, and where kinks are likely also those together that are tied."""
    most = _most_directions(case, x.size)
    mirrored = any(case.sampling.convention) or any(d.structure in SYMMETRIC for d in case.sampling.domains)
    if mirrored:
        directions = _along_symmetric(case, v, np.diag(room))
        mirrored = len(directions) != x.size
        if len(directions) > most:
            directions = directions[np.sort(case.rng().choice(len(directions), most // 2, replace=False))]
    else:
        directions = _alone(room, np.arange(x.size) if x.size <= most else _some_of_each(case, most // 2))
    directions = directions[directions.any(axis=1)]  # what has no room, as beyond a triangle, cannot be moved
    if x.size > most and not corner and not mirrored:  # at ties, too many slopes are right along these
        directions = np.concatenate([directions, _together(case, room, most // 4)])
    if not corner or x.size < 2 or mirrored or any(d.structure == "distinct" for d in case.sampling.domains):
        return directions
    return np.concatenate([directions, _tied(case, x, v, room)])


def _most_directions(case: Case, size: int) -> int:
    slow = tuple(a.shape for a in case.arrays) in case.sampling.memory.unstackable
    return min(FEW_DIRECTIONS if slow else MAX_DIRECTIONS, max(LEAST_DIRECTIONS, MOST_NUMBERS // max(1, size)))


def _alone(room: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Move some elements, each by itself."""
    directions = np.zeros((chosen.size, room.size))
    directions[np.arange(chosen.size), chosen] = room[chosen]
    return directions


def _together(case: Case, room: np.ndarray, many: int) -> np.ndarray:
    """Move all elements of one input, for points are evaluated together where the same inputs move."""
    rng = case.rng()
    together = room * rng.choice([-1.0, 1.0], (many, room.size))
    owner = _owners(case)
    return np.asarray(together * (owner == rng.choice(owner, (many, 1))))


def _tied(case: Case, x: np.ndarray, v: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Move together elements that are equal, those of each input, and all."""
    free = np.arange(x.size)
    _, group, count = np.unique(x, return_inverse=True, return_counts=True)
    groups = [free[group == k] for k in np.flatnonzero(count > 1)[:MAX_DIRECTIONS]]
    ends = np.cumsum([a.size for a in case.arrays])
    groups += [free, *np.split(free, ends[:-1])]
    groups = [m for m in groups if m.size > 1 and room[m].max() <= MOST_UNLIKE * room[m].min()]
    unique = {tuple(m.tolist()): m for m in groups if np.isfinite(v[m]).all()}
    tied = np.zeros((len(unique), x.size))
    for row, members in zip(tied, unique.values(), strict=True):
        row[members] = room[members].min()
    return tied


def _some_of_each(case: Case, most: int) -> np.ndarray:
    """Choose elements, of each input at least one: a small one is as easily wrong as a large one beside it."""
    owner = _owners(case)
    order = case.rng().permutation(owner.size)
    _, first = np.unique(owner[order], return_index=True)
    return np.sort(order[np.union1d(np.arange(most), first)])


def _owners(case: Case) -> np.ndarray:
    """Tell of each element which input it belongs to."""
    return np.repeat(np.arange(len(case.arrays)), [a.size for a in case.arrays])


def _along_symmetric(case: Case, v: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Move a_ij and a_ji together, unless forward reads one triangle and the gradient keeps to it."""
    kept, start = [], 0
    inferred = case.sampling.convention
    for array, domain, by_inference, grad in zip(
        case.arrays, case.sampling.domains, inferred, unflat(v, case.arrays), strict=True
    ):
        rows = directions[start : start + array.size]
        start += array.size
        square = array.ndim >= 2 and array.shape[-1] == array.shape[-2]
        lopsided = square and is_lopsided(grad)
        mirrors = square and (domain.structure in SYMMETRIC or by_inference)
        if not mirrors or not array.size or (by_inference and lopsided):
            kept.append(rows)
            continue
        index = np.arange(array.size).reshape(array.shape)
        mirror = np.swapaxes(index, -1, -2).ravel()
        step = np.minimum(rows.max(axis=1), rows.max(axis=1)[mirror])
        both = np.zeros_like(rows)
        offset = start - array.size
        for i in np.flatnonzero(index.ravel() <= mirror):
            both[i, offset + i] = both[i, offset + mirror[i]] = step[i]
        kept.append(both[index.ravel() <= mirror])
    return np.concatenate(kept)


def is_lopsided(grad: np.ndarray) -> bool:
    """Whether a matrix is not symmetric by more than rounding; NaN is unlike nothing."""
    finite = np.abs(grad[np.isfinite(grad)])
    rounding = 1e-9 * float(finite.max(initial=0.0))
    return not np.allclose(grad, np.swapaxes(grad, -1, -2), rtol=0, atol=rounding, equal_nan=True)


def moved_off(case: Case) -> Case:
    """The case a little way off, where nothing ties."""
    rng = case.rng()
    moved = tuple(
        a
        + 0.02
        * room_of(a, d)
        * structured(rng.uniform(-1, 1, a.shape), symmetric if d.structure else d, Regime.ORDINARY)
        for a, d in zip(case.arrays, case.sampling.domains, strict=True)
    )
    return case.at(moved)
