"""``python -m benchmarks.right_ops``: right ops, judged with new seeds again and again; how many are accused."""

from __future__ import annotations

import argparse
import re
import secrets
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import cache
from itertools import count
from typing import NamedTuple

import hypothesis

import adverify.ops
from adverify import Function
from adverify.discovery import functions_in
from tests.corpora import ops
from tests.score import judged


class Row(NamedTuple):
    """One op, judged once."""

    name: str
    seed: int
    verdict: str
    headline: str
    cases: int
    undecided: int
    reasons: Counter[str]


@cache
def right_ops() -> dict[str, type[Function]]:
    """Give all built-in ops, and the controls of all corpora."""
    return {op.__name__: op for op in functions_in(adverify.ops)} | dict(ops("controls"))


def row(name: str, seed: int) -> Row:
    """Judge the op of a name, in whatever process this is."""
    hypothesis.settings.register_profile("benchmark", database=None)
    hypothesis.settings.load_profile("benchmark")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verdict, report = judged(right_ops()[name], seed)
    return Row(name, seed, verdict, report.headline, report.cases, report.undecided, report.reasons)


def rows(first: int, processes: int) -> Iterator[Row]:
    """Judge all ops, seed after seed, for as long as somebody asks."""
    questions = ((name, seed) for seed in count(first) for name in right_ops())
    if processes == 1:
        yield from (row(*question) for question in questions)
        return
    with ProcessPoolExecutor(processes) as pool:
        waiting: set[Future[Row]] = {pool.submit(row, *next(questions)) for _ in range(2 * processes)}
        try:
            while True:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {pool.submit(row, *next(questions)) for _ in done}
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)


def main() -> int:
    """Print who was accused, who could not be decided, and why; 0 if nobody was."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.right_ops", description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200_000, help="how many gradients are to be decided at least")
    parser.add_argument("--seed", type=int, help="the first; by default one that was not used before")
    parser.add_argument("-n", "--processes", type=int, default=1)
    chosen = parser.parse_args()
    first = secrets.randbelow(2**31) if chosen.seed is None else chosen.seed
    print(f"{len(right_ops())} ops, seeds from {first}", flush=True)
    start, cases, undecided, judgements = time.perf_counter(), 0, 0, 0
    not_verified: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for r in rows(first, chosen.processes):
        cases, undecided, judgements = cases + r.cases, undecided + r.undecided, judgements + 1
        for reason, n in r.reasons.items():  # those that differ in numbers only are counted as one
            reasons[re.sub(r"\d[\d.e+-]*", "#", reason)] += n
        if r.verdict != "verified":
            kind = "undecided" if r.verdict == "undecided" else "accused"
            not_verified[kind] += 1
            print(f"{kind}: {r.name} (seed {r.seed}): {r.headline}", flush=True)
        if cases >= chosen.cases:
            break
    print(f"{cases} cases decided in {judgements} checks and {time.perf_counter() - start:.0f} s: "
          f"{not_verified['accused']} accusations, {not_verified['undecided']} checks undecided")  # fmt: skip
    print(f"{undecided} gradients undecided ({undecided / max(1, undecided + cases):.2%})")
    for reason, n in reasons.most_common(12):
        print(f"{n:8} {reason}")
    return 1 if not_verified else 0


if __name__ == "__main__":
    raise SystemExit(main())
