"""``python -m benchmarks.expressions --graphs 20000``: random graphs of all built-in ops, judged; what they reached.

With right ops and a right engine no graph is to be accused. Each round draws from a few ops, those first that have
met the fewest others, so that the pairs of parent and child that were not seen yet become likely.

``--mutants shared`` puts each wrong op of a corpus among the built-in ones, and counts how many are blamed by name.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import hypothesis
from adverify.strategies import expressions
from hypothesis import HealthCheck, Phase

import adverify.ops
from adverify import Function
from adverify.blame import judge_expression
from adverify.discovery import functions_in
from adverify.expression import Expression
from adverify.graph_coverage import GraphCoverage
from adverify.isolation import isolated
from adverify.verdict import Status

OPS = {op.__name__: op for op in functions_in(adverify.ops)}
ROUND = 250
"""Graphs between two looks at what was reached."""
TOGETHER = 24
"""Ops that a round draws from."""
COMPANY = 12
"""Built-in ops that a mutant is put among."""
PER_MUTANT = 400
"""Graphs that a mutant is looked for in."""


@dataclass
class Coverage(GraphCoverage):
    """What some graphs reached, and what was said of them."""

    decided: int = 0
    seconds: float = 0.0
    undecided: Counter[str] = field(default_factory=Counter)
    accused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        first, *others = self.lines(OPS)
        lines = [
            f"{first} in {self.seconds:.0f} s ({1e3 * self.seconds / max(1, self.graphs):.1f} ms each)",
            *others,
            f"decided   {self.decided} of {self.nodes} nodes; {sum(self.undecided.values())} graphs undecided",
            *(f"{n:8}  {reason}" for reason, n in self.undecided.most_common(20)),
            f"accused   {len(self.accused)}",
            *self.accused,
        ]
        return "\n".join(lines)


def run(graphs: int, seed: int) -> Coverage:
    """Judge so many graphs."""
    coverage, rng = Coverage(), random.Random(seed)
    start = time.perf_counter()
    with isolated():
        while coverage.graphs < graphs:
            _round(coverage, _chosen(coverage, rng), min(ROUND, graphs - coverage.graphs), rng.randrange(2**32))
            coverage.seconds = time.perf_counter() - start
    return coverage


def _chosen(coverage: Coverage, rng: random.Random) -> list[type[Function]]:
    """Some ops that have met few others: one, those that it has not met, and any."""
    met: dict[str, set[str]] = {name: set() for name in OPS}
    for parent, child in coverage.pairs:
        if parent in met and child in met:
            met[parent].add(child)
            met[child].add(parent)
    names = sorted(OPS, key=lambda name: (len(met[name]), rng.random()))
    strangers = [n for n in names if n not in met[names[0]]]
    chosen = list(islice(dict.fromkeys([names[0], *strangers]), TOGETHER // 2))
    others = [n for n in OPS if n not in chosen]
    chosen += rng.sample(others, TOGETHER - len(chosen))
    rng.shuffle(chosen)
    return [OPS[name] for name in chosen]


def _round(coverage: Coverage, ops: Sequence[type[Function]], graphs: int, seed: int) -> None:
    def judge(e: Expression) -> None:
        coverage.add(e)
        judgement = judge_expression(e)
        coverage.decided += judgement.nodes
        if judgement.verdict.status is Status.UNDECIDED:
            coverage.undecided[judgement.verdict.reason] += 1
        elif judgement.verdict.status is Status.VIOLATED:
            coverage.accused.append(f"{judgement.verdict.reason}\n{e}\n")

    _drawn(judge, ops, graphs, seed)


def _drawn(judge: Callable[[Expression], Any], ops: Sequence[type[Function]], graphs: int, seed: int) -> None:
    settings = hypothesis.settings(
        max_examples=graphs, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    hypothesis.seed(seed)(settings(hypothesis.given(expressions(ops=ops))(judge)))()


class _Found(BaseException):
    """Leaves a Hypothesis run."""


def blamed(mutant: type[Function], seed: int) -> str:
    """Put a wrong op among right ones; give whom the first wrong graph is blamed on, or nothing."""
    rng = random.Random(seed)
    found: list[str] = []

    def judge(e: Expression) -> None:
        if mutant.__name__ not in e.ops:
            return
        judgement = judge_expression(e)
        if judgement.blame is not None:
            found.append(judgement.guilty)
            raise _Found

    with isolated():
        for _ in range(PER_MUTANT // 50):
            company = [OPS[name] for name in rng.sample(sorted(OPS), COMPANY)]
            try:
                _drawn(judge, [*company[::2], mutant, mutant, mutant, *company[1::2]], 50, rng.randrange(2**32))
            except _Found:
                break
    return found[0] if found else ""


def mutants(seed: int, roots: Sequence[str]) -> Counter[str]:
    """Print how many wrong ops of some corpora are blamed by name."""
    from tests.corpora import ops

    counts: Counter[str] = Counter()
    for name, op in ops("mutants", roots):
        who = blamed(op, seed)
        verdict = "blamed" if who == op.__name__ else f"blamed on {who}" if who else "not found"
        counts[verdict if verdict in ("blamed", "not found") else "blamed on another"] += 1
        if verdict != "blamed":
            print(f"{name} ({getattr(op, 'violates', '')}): {verdict}", flush=True)
    print(dict(counts))
    return counts


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--mutants", nargs="+", metavar="CORPUS", help="own, shared or further")
    given = parser.parse_args()
    if given.mutants:
        mutants(given.seed, given.mutants)
        return
    total = Coverage()
    with ProcessPoolExecutor(given.jobs) as pool:
        shares = [given.graphs // given.jobs] * given.jobs
        for coverage in pool.map(run, shares, range(given.seed, given.seed + given.jobs)):
            total += coverage
    print(total)


if __name__ == "__main__":
    main()
