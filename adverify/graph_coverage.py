"""What random graphs have reached: a run that tries little is to show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self

from adverify.expression import Apply, Expression, Leaf


@dataclass
class GraphCoverage:
    """Counts of what is in some graphs.

    Attributes
    ----------
    graphs, nodes : int
        How many graphs, and how many uses of ops in all of them.
    ops : Counter of str
    pairs : Counter of (str, str)
        Parent and child: how often an op is applied to what another one gives.
    depths, sizes : Counter of int
        How many graphs are so deep, and apply so many ops.
    traits : Counter of str
        How many graphs share a node, have several outputs, ...

    Examples
    --------
    >>> from adverify import tensor
    >>> from adverify.ops import sin
    >>> coverage, x = GraphCoverage(), tensor([1.0])
    >>> coverage.add(Expression.trace(sin(sin(x))))
    >>> print(coverage)
    1 graph of 2 nodes
    ops       1
    pairs     1 (parent, child)
    depth     2: 1
    ops each  2: 1
    """

    graphs: int = 0
    nodes: int = 0
    ops: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    depths: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    traits: Counter[str] = field(default_factory=Counter)

    def add(self, e: Expression) -> None:
        """Count what is in a graph."""
        applied = sum(e.ops.values())
        self.graphs += 1
        self.nodes += applied
        self.ops += e.ops
        self.pairs += e.pairs
        self.depths[e.depth] += 1
        self.sizes[applied] += 1
        self.traits.update(_traits(e))

    def __iadd__(self, other: Self) -> Self:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self, names: Collection[str] = ()) -> list[str]:
        """Say what was reached, and of the ops that have some names, which were not."""
        wanted = set(names) or set(self.ops)
        seen = [p for p in self.pairs if set(p) <= wanted]
        missing = sorted(wanted - set(self.ops))
        of, of_pairs = (f" of {len(names)}", f" of {len(names) ** 2}") if names else ("", "")
        return [
            f"{self.graphs} graph{'' if self.graphs == 1 else 's'} of {self.nodes} nodes",
            f"ops       {len(wanted & set(self.ops))}{of}" + (f"; not {', '.join(missing)}" if missing else ""),
            f"pairs     {len(seen)}{of_pairs} (parent, child)",
            f"depth     {_spread(self.depths)}",
            f"ops each  {_spread(self.sizes)}",
            *(f"{100 * n / max(1, self.graphs):7.1f}%  {trait}" for trait, n in self.traits.most_common()),
        ]


def _traits(e: Expression) -> list[str]:
    leaves = [n for n in e.nodes if isinstance(n, Leaf)]
    used = {u.node for n in e.nodes for u in n.inputs} | {u.node for u in e.outputs}
    found = {
        "a shared node": e.shared > 0,
        "a Variable in several places of one op": e.repeated > 0,
        "several leaves": len(leaves) > 1,
        "a constant": not all(n.requires_grad for n in leaves),
        "an unused leaf": any(i not in used for i in e.leaves),
        "a kept intermediate": any(isinstance(n, Apply) and n.kept for n in e.nodes),
        "several outputs": len(e.outputs) > 1,
        "single precision": any(n.array.dtype != float for n in leaves),
    }
    return [trait for trait, is_there in found.items() if is_there]


def _spread(counts: Counter[int]) -> str:
    return ", ".join(f"{k}: {n}" for k, n in sorted(counts.items()))
