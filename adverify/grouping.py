"""Many failures, few causes: what has one cause becomes one entry, with how often it was met."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from adverify.diagnosis.exceptions import own_line
from adverify.report import Failure, Report


@dataclass(frozen=True, eq=False)
class Cause:
    """Failures that are alike: of one property, with one diagnosis, or raised by one line.

    Attributes
    ----------
    members : tuple of (Report, Failure)
        The most informative first.
    """

    members: tuple[tuple[Report, Failure], ...]

    @property
    def shown(self) -> tuple[Report, Failure]:
        """The failure that tells most, with its report."""
        return self.members[0]

    @property
    def count(self) -> int:
        return len(self.members)

    @property
    def names(self) -> tuple[str, ...]:
        """The ops that it was met in, each once."""
        return tuple(dict.fromkeys(report.name for report, _ in self.members))

    def __str__(self) -> str:
        report, failure = self.shown
        said = "; ".join(d.text for d in failure.diagnoses) or failure.verdict.reason
        others = [name for name in self.names if name != report.name]
        also = f" (and {', '.join(others[:5])}{', ...' if len(others) > 5 else ''})" if others else ""
        return f"{self.count} x {failure.property}: {report.name}{also}: {said}"


def group(reports: Iterable[Report]) -> tuple[Cause, ...]:
    """Put failures with one cause together; the most frequent cause first.

    What raised at one line of code has one cause. So have failures of one property with the same diagnoses. A failure
    without a diagnosis is a cause by itself, for nothing says that it is like another.

    Parameters
    ----------
    reports : iterable of Report

    Returns
    -------
    tuple of Cause
    """
    found: dict[Hashable, list[tuple[Report, Failure]]] = {}
    for report in reports:
        for failure in report.failures:
            found.setdefault(_cause(failure), []).append((report, failure))
    causes = (Cause(tuple(sorted(members, key=_cost))) for members in found.values())
    return tuple(sorted(causes, key=lambda c: -c.count))


def _cause(failure: Failure) -> Hashable:
    error = failure.verdict.exception
    line = own_line(error, failure.case) if error is not None else ""
    if error is not None and line:
        return type(error), line
    return (failure.property, failure.diagnoses) if failure.diagnoses else id(failure)


def _cost(member: tuple[Report, Failure]) -> tuple[bool, bool, int]:
    """Order failures: those that show numbers, that are explained, and that are small come first."""
    _, failure = member
    size = sum(a.size for a in failure.case.arrays)
    return not failure.verdict.evidence, not failure.diagnoses, size
