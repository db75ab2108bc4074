"""Einstein's summation: any sum of products, in letters."""

from __future__ import annotations

import re
import string
from typing import Any, ClassVar

import numpy as np

from adverify.engine import Function, Variable, variable
from adverify.ops.broadcasting import unbroadcast

_TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")


class Einsum(Function):
    """The products of any number of operands, summed over the indices that the output does not have.

    Parameters
    ----------
    subscripts : str
        As for `numpy.einsum`: an index may repeat within an operand, an ellipsis stands for axes that broadcast, and
        without an arrow the output has the ellipsis and the indices that occur once, in alphabetical order.
    """

    arguments: ClassVar = {"subscripts": ("ij,jk,k->i", "...ij,...jk", "ii", "iij->ji", "i,j->", "i...->...")}

    def __init__(self, subscripts: str) -> None:
        compact = subscripts.replace(" ", "")
        left, arrow, right = compact.partition("->")
        letters = left.replace(",", "").replace("...", "")
        once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        self.subscripts, self.operands = compact, tuple(left.split(","))
        self.output = right if arrow else "..." * ("..." in left) + once
        named = self.output.replace("...", "")
        if not all(map(_TERM.fullmatch, (*self.operands, self.output))):
            raise ValueError(f"subscripts must be letters and at most one ellipsis a term, as 'ij,jk->ik' or "
                             f"'...ij->...i'; got {subscripts!r}")  # fmt: skip
        if len(set(named)) < len(named) or not set(named) <= set(letters):
            raise ValueError(f"subscripts must name each output index once, and in an operand; got {subscripts!r}")

    def forward(self, *operands: Variable) -> Variable:
        for term, o in zip(self.operands, operands, strict=False):  # NumPy says that there are too few, or too many
            self._check_diagonal(term, o.data.shape)
        return variable(np.einsum(self.subscripts, *(o.data for o in operands)))

    def backward(self, *operands_and_grad: Any) -> None:
        *operands, grad = operands_and_grad
        arrays = [o.data for o in operands]
        *terms, output = self._spelled_out(arrays)
        sizes: dict[str, int] = {}
        for names, a in zip(terms, arrays, strict=True):
            for c, n in zip(names, a.shape, strict=True):
                sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]  # NumPy broadcasts lengths of one here too
        for i, x in enumerate(operands):
            unique = "".join(dict.fromkeys(terms[i]))
            factors = [(output, grad), *((names, arrays[j]) for j, names in enumerate(terms) if j != i)]
            # An index that only this operand has was summed over: its gradient is the same for each value.
            alone = set(unique).difference(*(names for names, _ in factors))
            factors += [(c, np.ones(sizes[c], x.data.dtype)) for c in sorted(alone)]
            share = np.einsum(f"{','.join(s for s, _ in factors)}->{unique}", *(a for _, a in factors))
            if len(unique) == len(terms[i]):
                x.grad += unbroadcast(share, x.data.shape)
            else:
                diagonal = np.einsum(f"{terms[i]}->{unique}", x.grad)  # a view: only there is the gradient not zero
                diagonal += unbroadcast(share, diagonal.shape)

    def _check_diagonal(self, term: str, shape: tuple[int, ...]) -> None:
        """Raise if an index that is named twice has two lengths: NumPy takes 0 and 2, and returns what memory holds."""
        before, _, after = term.partition("...")
        if len(before + after) > len(shape):
            return  # which NumPy refuses
        lengths: dict[str, int] = {}
        for c, n in [*zip(before, shape, strict=False), *zip(after[::-1], shape[::-1], strict=False)]:
            if lengths.setdefault(c, n) != n:
                raise ValueError(f"index {c!r} of {self.subscripts!r} has lengths {lengths[c]} and {n}: shape {shape}")

    def _spelled_out(self, arrays: list[np.ndarray]) -> list[str]:
        """The terms and the output with letters in place of ellipses, which are aligned at their last axes."""
        free = "".join(c for c in string.ascii_letters if c not in self.subscripts)
        hidden = [a.ndim - len(t.replace("...", "")) for t, a in zip(self.operands, arrays, strict=True)]
        letters = free[: max(hidden)]
        terms = [t.replace("...", letters[len(letters) - n :]) for t, n in zip(self.operands, hidden, strict=True)]
        return [*terms, self.output.replace("...", letters)]
