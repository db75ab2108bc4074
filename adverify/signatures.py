"""NumPy's gufunc signatures, `(m,k),(k,n)->(m,n)`: which shapes they allow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_GROUP = re.compile(r"\(([^()]*)\)")
_WHOLE = re.compile(r"(\([^()]*\))(,\([^()]*\))*->(\([^()]*\))(,\([^()]*\))*")


@dataclass(frozen=True)
class Signature:
    """The core axes of each input, by name or fixed size; any batch axes that broadcast may come before them.

    Examples
    --------
    >>> Signature.parse("(m,k),(k,n)->(m,n)").inputs
    (('m', 'k'), ('k', 'n'))
    """

    text: str
    inputs: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read a signature.

        Raises
        ------
        ValueError
            If the text is not of the form ``(m,k),(k,n)->(m,n)``.
        """
        compact = text.replace(" ", "")
        if not _WHOLE.fullmatch(compact):
            raise ValueError(f"signature {text!r} is not of the form '(m,k),(k,n)->(m,n)'")
        groups = _GROUP.findall(compact.split("->")[0])
        return cls(text, tuple(tuple(name for name in g.split(",") if name) for g in groups))

    def shapes(self) -> Iterator[tuple[tuple[int, ...], ...]]:
        """Give combinations of input shapes: sizes alike and unlike, ones and zeros, with and without batch axes."""
        names = sorted({n for group in self.inputs for n in group if not n.isdigit()})
        sizes = [(2, 3, 4, 5, 6), (4, 3, 2, 5, 6), (3,) * 5, (2,) * 5, (1,) * 5, (1, 3, 2, 4, 5), (3, 1, 2, 1, 4)]
        sizes += [(0, 2, 3, 4, 5), (2, 0, 3, 4, 5), (5, 4, 3, 2, 1)]
        for row in sizes:
            size = {name: row[i % 5] for i, name in enumerate(names)}
            core = tuple(tuple(int(n) if n.isdigit() else size[n] for n in group) for group in self.inputs)
            yield core
            for batch in self._batches():
                yield tuple((*b, *c) for b, c in zip(batch, core, strict=True))

    def _batches(self) -> Iterator[tuple[tuple[int, ...], ...]]:
        yield ((2,),) * len(self.inputs)
        yield ((0,),) * len(self.inputs)
        if len(self.inputs) > 1:
            for i in range(len(self.inputs)):
                yield tuple((3,) if i == j else () for j in range(len(self.inputs)))
                yield tuple((2, 1) if i == j else (3,) for j in range(len(self.inputs)))
