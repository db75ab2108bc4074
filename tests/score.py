"""``python -m tests.score [seeds [first [corpus...]]]``: wrong gradients missed and right ones accused."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import hypothesis

from adverify import Report, Undecided, VerificationError, check_function
from tests.corpora import ROOTS, ops


def judged(op: type, seed: int | None = None) -> tuple[str, Report]:
    """Give the verdict on an op in a word, or the property that is violated, with the report."""
    try:
        return "verified", check_function(op, seed=seed)
    except Undecided as error:
        return "undecided", error.report
    except VerificationError as error:
        return error.report.failures[0].property if error.report.failures else "invalid", error.report


class Row(NamedTuple):
    """One op, judged once."""

    kind: str
    name: str
    expected: str
    verdict: str
    violated: tuple[str, ...]
    headline: str
    cases: int
    seconds: float

    @property
    def is_right(self) -> bool:
        return self.verdict == "verified" if self.kind == "controls" else bool(self.violated)


def row(kind: str, name: str, seed: int) -> Row:
    """Judge the op of a name, in whatever process this is."""
    hypothesis.settings.register_profile("score", database=None)
    hypothesis.settings.load_profile("score")
    op = dict(ops(kind))[name]
    start = time.perf_counter()
    verdict, report = judged(op, seed)
    violated = tuple(f.property for f in report.failures)
    return Row(kind, name, getattr(op, "violates", "verified"), verdict, violated, report.headline, report.cases,
               time.perf_counter() - start)  # fmt: skip


def rows(seeds: Iterable[int], roots: Collection[str] = tuple(ROOTS)) -> Iterable[Row]:
    """Judge all ops of some corpora for all seeds, on all cores."""
    kinds = ("mutants", "controls")
    questions = [(kind, name, seed) for seed in seeds for kind in kinds for name, _ in ops(kind, roots)]
    with ProcessPoolExecutor() as pool:
        yield from pool.map(row, *zip(*questions, strict=True))


def main(seeds: str = "1", first: str = "0", *roots: str) -> int:
    """Print the score over a number of seeds, of all corpora or some; 0 if it is perfect."""
    start = time.perf_counter()
    found = list(rows(range(int(first), int(first) + int(seeds)), roots or tuple(ROOTS)))
    wrong, right = ([r for r in found if r.kind == kind] for kind in ("mutants", "controls"))
    missed, accused = ([r for r in some if not r.is_right] for some in (wrong, right))
    elsewhere = [r for r in wrong if r.violated and r.verdict != r.expected]
    for title, some in {"missed": missed, "accused": accused, "other reason": elsewhere}.items():
        for r in some:
            print(f"{title}: {r.name} ({r.expected}): {r.headline}")
    by = Counter(r.verdict for r in wrong if r.violated)
    alone = Counter(r.violated[0] for r in wrong if len(r.violated) == 1)
    print(f"{'property':16}{'found by':>10}{'only by':>10}")
    for name, count in by.most_common():
        print(f"{name:16}{count:10}{alone[name]:10}")
    print(f"found {len(wrong) - len(missed)} of {len(wrong)} wrong ops, {len(elsewhere)} of them for another reason")
    print(f"accused {len(accused)} of {len(right)} right ops")
    slow = sorted(found, key=lambda r: -r.seconds)[:5]
    print(f"{sum(r.cases for r in found)} cases decided in {time.perf_counter() - start:.0f} s; "
          f"median {sorted(r.seconds for r in found)[len(found) // 2]:.2f} s an op, slowest "
          + ", ".join(f"{r.name} {r.seconds:.1f} s" for r in slow))  # fmt: skip
    return 1 if missed or accused else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
