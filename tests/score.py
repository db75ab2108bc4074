"""``python -m tests.score``: wrong gradients missed, right gradients accused, for every corpus that is there."""

from __future__ import annotations

import sys
import time
from collections import Counter

import hypothesis

from adverify import Report, Undecided, VerificationError, check_function
from tests.corpora import ops


def judged(op: type, seed: int | None = None) -> tuple[str, Report]:
    """Give the verdict on an op in a word, or the property that is violated, with the report."""
    try:
        return "verified", check_function(op, seed=seed)
    except Undecided as error:
        return "undecided", error.report
    except VerificationError as error:
        return error.report.failures[0].property if error.report.failures else "invalid", error.report


def main(seeds: int = 1) -> int:
    """Print the score over a number of seeds; 0 if it is perfect."""
    hypothesis.settings.register_profile("score", database=None)
    hypothesis.settings.load_profile("score")
    missed, accused, elsewhere, cases = [], [], [], 0
    found_by: Counter[str] = Counter()
    start, tried = time.perf_counter(), Counter[str]()
    for seed in range(seeds):
        for kind in ("mutants", "controls"):
            for name, op in ops(kind):
                verdict, report = judged(op, seed)
                tried[kind] += 1
                cases += report.cases
                if kind == "controls" and verdict != "verified":
                    accused.append(f"{name} (seed {seed}): {report.headline}")
                elif kind == "mutants" and not report.failures:
                    missed.append(f"{name} (seed {seed}): {report.headline}")
                elif kind == "mutants":
                    found_by[verdict] += 1
                    if verdict != op.violates:
                        elsewhere.append(f"{name} (seed {seed}): {op.violates}, reported as {report.headline}")
    for title, lines in {"missed": missed, "accused": accused, "other reason": elsewhere}.items():
        for line in lines:
            print(f"{title}: {line}")
    print(
        f"found {tried['mutants'] - len(missed)} of {tried['mutants']} wrong ops, {len(elsewhere)} for another reason"
    )
    print(f"accused {len(accused)} of {tried['controls']} right ops")
    print(f"{cases} cases decided in {time.perf_counter() - start:.0f} s; found by: {dict(found_by.most_common())}")
    return 1 if missed or accused else 0


if __name__ == "__main__":
    raise SystemExit(main(*(int(a) for a in sys.argv[1:])))
