"""Diagonals of matrices, and what lies on either side."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from adverify.ops.arrangement import Arrangement, Gathering
from adverify.ops.axes import integer
from adverify.ops.broadcasting import unbroadcast


class Tril(Arrangement):
    """The lower triangle of the last two axes, zeros above; a vector stands for a matrix of such rows.

    Parameters
    ----------
    k : int
        The diagonal above which all is zero.
    """

    arguments: ClassVar = {"k": (0, 1, -1)}

    def __init__(self, k: int = 0) -> None:
        self.k = integer(k, "k")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.tril(x, self.k)

    def restore(self, grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return unbroadcast(self.arrange(grad), shape)


class Triu(Tril):
    """The upper triangle of the last two axes, zeros below; a vector stands for a matrix of such rows.

    Parameters
    ----------
    k : int
        The diagonal below which all is zero.
    """

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.triu(x, self.k)


class Diag(Gathering):
    """The diagonal of a matrix, or the matrix that has a vector as its diagonal.

    Parameters
    ----------
    k : int
        Which diagonal; positive ones lie above.
    """

    arguments: ClassVar = {"k": (0, 1, -2)}

    def __init__(self, k: int = 0) -> None:
        self.k = integer(k, "k")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.diag(x, self.k)


class Diagonal(Gathering):
    """The diagonals of matrices; they become the last axis.

    Parameters
    ----------
    offset : int
        Which diagonal; positive ones lie above.
    axis1, axis2 : int
        Where rows and columns are counted.
    """

    arguments: ClassVar = {"offset": (0, 1, -1), "axis1": (0, -1), "axis2": (1,)}

    def __init__(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> None:
        self.offset = integer(offset, "offset")
        self.axis1, self.axis2 = integer(axis1, "axis1"), integer(axis2, "axis2")

    def arrange(self, x: np.ndarray) -> np.ndarray:
        return np.diagonal(x, self.offset, self.axis1, self.axis2)
