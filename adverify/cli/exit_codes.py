"""The exit codes: what a shell, or CI, learns."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

from adverify.verification import Outcome


class ExitCode(IntEnum):
    """What a command ends with."""

    VERIFIED = 0
    WRONG = 1
    USAGE = 2
    UNDECIDED = 3
    INTERRUPTED = 130


def exit_code(outcomes: Collection[Outcome]) -> ExitCode:
    """Give the code for several ops: a wrong one outweighs all others, and none is not enough.

    Examples
    --------
    >>> exit_code([Outcome.VERIFIED, Outcome.UNDECIDED, Outcome.VIOLATED]).name
    'WRONG'
    """
    if {Outcome.VIOLATED, Outcome.CRASHED} & set(outcomes):
        return ExitCode.WRONG
    counting = set(outcomes) - {Outcome.SKIPPED}
    return ExitCode.VERIFIED if counting and counting <= {Outcome.VERIFIED, Outcome.EXPECTED} else ExitCode.UNDECIDED
