"""What backward raises, and where."""

from __future__ import annotations

import inspect
import linecache
import traceback
from pathlib import Path

import adverify
from adverify.case import Case
from adverify.diagnosis.base import Fault
from adverify.engine import Function
from adverify.properties import all_properties
from adverify.report import Failure

EVERYWHERE = tuple(p.name for p in all_properties())
HERE = str(Path(adverify.__file__).parent)


class Raises(Fault):
    """backward raises; the text quotes the last line of the op's own code.

    Examples
    --------
    ::

        class Op(Function):
            def forward(self, x):
                return variable(np.sum(x.data))

            def backward(self, x, grad):
                for i in range(len(x.data)):
                    x.grad[i] += grad
    """

    kind = "exception"
    complexity = 9
    properties = EVERYWHERE

    def explain(self, failure: Failure) -> str:
        error = failure.verdict.exception
        if error is None:
            return ""
        where = own_line(error, failure.case)
        first = str(error).partition("\n")[0][:200]
        return f"backward raises {type(error).__name__}{f': {first}' if first else ''}{where}"


def own_line(error: BaseException, case: Case) -> str:
    """Say at which line of the op's own code an error was raised, and what it reads."""
    frames = traceback.extract_tb(error.__traceback__)
    written = [
        f for c in case.subject.kind.__mro__ if c is not Function for f in vars(c).values() if inspect.isfunction(f)
    ]
    is_program = hasattr(case.subject.kind, "written")  # whose own code is its ops'
    files = set() if is_program else {f.__code__.co_filename for f in written}
    own = [f for f in frames if f.filename in files] or [f for f in frames if not f.filename.startswith(HERE)]
    if not own:
        return ""
    frame = own[-1]
    text = (linecache.getline(frame.filename, frame.lineno or 0) or frame.line or "").strip()
    return f", at {frame.filename}:{frame.lineno}" + (f": {text[:160]}" if text else "")
