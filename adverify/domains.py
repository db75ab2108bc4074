"""Where an op's inputs may lie: the vocabulary in which an op, a caller or the inference declares it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Structure = Literal[
    "", "distinct", "ascending", "symmetric", "positive definite", "diagonally dominant", "positive dominant",
    "lower triangular", "upper triangular",
]  # fmt: skip

SYMMETRIC: tuple[Structure, ...] = ("symmetric", "positive definite")
"""Structures of the last two axes that only symmetric changes keep."""

DOMINANT: tuple[Structure, ...] = ("diagonally dominant", "positive dominant")
"""Those that small changes of any element keep."""

TRIANGULAR: tuple[Structure, ...] = ("lower triangular", "upper triangular")
"""Those that changes in one triangle keep."""

MATRICES = (*SYMMETRIC, *DOMINANT, *TRIANGULAR)


@dataclass(frozen=True)
class Domain:
    """An open or closed interval, less some points, with a structure that the array as a whole has.

    Parameters
    ----------
    low, high : float
        The ends; infinite where there is none.
    closed_low, closed_high : bool
        Whether the end itself belongs to the domain.
    without : tuple of float
        Points inside that do not belong, such as a pole at 0.
    corners : tuple of float
        Points inside at which a slope may jump: drawn on purpose.
    structure : str
        ``"distinct"``: no two elements are alike. ``"ascending"``: each is larger than the one before it along the last
        axis. ``"symmetric"`` and ``"positive definite"``: the last two axes make such matrices, and the derivative is
        along symmetric matrices only. ``"diagonally dominant"``: each element of their diagonal is larger, in absolute
        value, than the others of its row and its column together. ``"positive dominant"``: and it is positive.
        ``"lower triangular"`` and ``"upper triangular"``: all beyond the diagonal are 0, and none on it is.

    Examples
    --------
    >>> 0.5 in unit_interval, 2.0 in unit_interval
    (True, False)
    """

    low: float = -np.inf
    high: float = np.inf
    closed_low: bool = False
    closed_high: bool = False
    without: tuple[float, ...] = ()
    corners: tuple[float, ...] = ()
    structure: Structure = ""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a domain needs low < high; got low={self.low}, high={self.high}")

    def __contains__(self, value: object) -> bool:
        return bool(np.all(self.holds(np.asarray(value, dtype=float))))

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Tell, element by element, whether `values` lie in the interval and off the points left out."""
        above = values >= self.low if self.closed_low else values > self.low
        below = values <= self.high if self.closed_high else values < self.high
        return above & below & ~np.isin(values, self.without) & np.isfinite(values)

    @property
    def is_real_line(self) -> bool:
        return replace(self, corners=()) == real

    def __str__(self) -> str:
        name = NAMES.get(replace(self, corners=()))
        if name:
            return name
        low, high = self.low + 0.0, self.high + 0.0  # a bound that is found may be -0.0
        ends = f"{'[' if self.closed_low else '('}{low:g}, {high:g}{']' if self.closed_high else ')'}"
        holes = f" without {', '.join(f'{p:g}' for p in self.without)}" if self.without else ""
        return f"{self.structure} {ends}{holes}".strip()


def interval(low: float, high: float, closed: bool = False) -> Domain:
    """Make the domain between two bounds, with them if `closed`.

    Examples
    --------
    >>> interval(-1.0, 1.0)
    Domain(low=-1.0, high=1.0, closed_low=False, closed_high=False, without=(), corners=(), structure='')
    """
    return Domain(low, high, closed and np.isfinite(low), closed and np.isfinite(high))


real = Domain()
positive = Domain(low=0.0)
nonnegative = Domain(low=0.0, closed_low=True)
nonzero = Domain(without=(0.0,))
unit_interval = Domain(0.0, 1.0)
distinct = Domain(structure="distinct")
ascending = Domain(structure="ascending")
symmetric = Domain(structure="symmetric")
positive_definite = Domain(structure="positive definite")
diagonally_dominant = Domain(structure="diagonally dominant")
positive_dominant = Domain(structure="positive dominant")
lower_triangular = Domain(structure="lower triangular")
upper_triangular = Domain(structure="upper triangular")

NAMES = {
    real: "real",
    positive: "positive",
    nonnegative: "nonnegative",
    nonzero: "nonzero",
    unit_interval: "between 0 and 1",
    distinct: "distinct",
    ascending: "ascending",
    symmetric: "symmetric",
    positive_definite: "positive definite",
    diagonally_dominant: "diagonally dominant",
    positive_dominant: "diagonally dominant, of positive diagonal",
    lower_triangular: "lower triangular",
    upper_triangular: "upper triangular",
}
