"""A failure as a test file: it fails as long as the op is wrong, needs no database, and is fit to be committed."""

from __future__ import annotations

import importlib.util
import keyword
import math
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adverify.case import literal
from adverify.program import Program
from adverify.state import state_of
from adverify.subject import Subject

if TYPE_CHECKING:
    from adverify.report import Failure, Report

WIDTH = 100

STATEFUL = ("reentrancy", "composition")
"""The properties that another call, or another instance, belongs to."""


def source(report: Report, failures: Iterable[Failure] | None = None) -> str:
    """Write the tests that reproduce a report's failures, one for each.

    Parameters
    ----------
    report : Report
    failures : iterable of Failure, optional
        Those of its failures to write tests of. Default: all.

    Returns
    -------
    str
        A Python module for pytest. Where the op cannot be imported, a comment says what to put in its place.

    Raises
    ------
    ValueError
        If there is no failure.

    Examples
    --------
    >>> from adverify import check_case
    >>> from adverify.demo import WrongDotProduct
    >>> from adverify.report import VerificationError
    >>> try:
    ...     check_case(WrongDotProduct, [[[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]])
    ... except VerificationError as error:
    ...     print(source(error.report).splitlines()[0])
    \"\"\"Failures of WrongDotProduct that adverify found.\"\"\"
    """
    chosen = list(report.failures if failures is None else failures)
    if not chosen:
        raise ValueError(f"{report.name} has no failure, so there is nothing to write a test of")
    kind = chosen[0].case.subject.kind
    names: dict[str, int] = {}
    tests = [_test(report, failure, names) for failure in chosen]
    uses_numpy = any("np." in test for test in tests)
    third_party = ["import numpy as np"] if uses_numpy else []
    header = [f'"""Failures of {_docstring(report.name)} that adverify found."""', ""]
    asked = [f"from adverify import {_asked_by(kind)}"]
    imports = [*third_party, "", *asked] if third_party else asked
    how = [] if _is_complete(kind) else import_lines(kind)
    return "\n".join([*header, *imports, *how, "", "", "\n\n\n".join(tests), ""])


def write(report: Report, path: str | Path, failures: Iterable[Failure] | None = None) -> Path:
    """Write the tests of `source` to a file.

    Parameters
    ----------
    report, failures
        As for `source`.
    path : str or Path
        The file, or a folder in which it is named after the op.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    FileExistsError
        If there is one already: it may have been edited.
    """
    path = Path(path)
    path = path / f"test_{identifier(report.name)}.py" if path.is_dir() else path
    with path.open("x", encoding="utf-8") as file:
        file.write(source(report, failures))
    return path


def call(failure: Failure) -> str:
    """Write the call, of `check_case` mostly, that asks the failure's question again, as one expression."""
    case, kind = failure.case, failure.case.subject.kind
    if issubclass(kind, Program):
        return kind.again(case)
    arguments = [op_expression(kind), _listed(map(literal, case.arrays))]
    if failure.property != "gradient":
        arguments.append(f"property={_quoted(failure.property)}")
    if case.seed:
        arguments.append(f"seed={case.seed}")
    if case.subject.arguments:
        arguments.append(f"arguments={expression(dict(case.subject.arguments))}")
    if case.partner is not None and failure.property in STATEFUL:
        arguments.append(f"partner={_listed(map(literal, case.partner.arrays))}")
    if case.relative is not None and failure.property in STATEFUL:
        arguments.append(f"relative={expression(dict(case.relative.arguments))}")
    if case.sampling.signature is not None and not getattr(case.subject.kind, "signature", None):
        arguments.append(f"signature={_quoted(case.sampling.signature.text)}")
    return _call("check_case", arguments)


def script(failure: Failure) -> str:
    """Write the falsifying example as Python to paste: complete with imports, it shows what backward leaves."""
    case, kind = failure.case, failure.case.subject.kind
    if _is_complete(kind):
        return str(case)
    imports = ["import numpy as np", "", f"from adverify import {_asked_by(kind)}, variable", *import_lines(kind)]
    return "\n".join([*imports, "", str(case)])


def _asked_by(kind: type) -> str:
    return kind.asked_by if issubclass(kind, Program) else "check_case"


def _is_complete(kind: type) -> bool:
    return issubclass(kind, Program) and kind.is_complete


def import_lines(kind: type) -> list[str]:
    """Write how a class is imported; a comment that says what to do, and a placeholder, where it cannot be."""
    name = _outermost(kind)
    if is_importable(kind):
        if name.isidentifier():
            return [f"from {kind.__module__} import {name}"]
        variable = op_expression(kind)
        return ["import importlib", "", f"{variable} = getattr(importlib.import_module({kind.__module__!r}), {name!r})"]
    why = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__ == "__main__" and "<locals>" not in kind.__qualname__:
        file = getattr(sys.modules.get("__main__"), "__file__", None)
        module = Path(file).stem if file else ""
        if module.isidentifier() and name.isidentifier():
            return [f"from {module} import {name}  # of {file}, which was run as a script"]
    comment = f"{_one_line(why)} cannot be imported from here. Import it, or put its definition in this place:"
    return [*(f"# {line}" for line in textwrap.wrap(comment, WIDTH - 2)), f"{op_expression(kind)} = ..."]


def is_importable(kind: type) -> bool:
    """Whether its module can be found again by name, and its qualified name leads to the class itself."""
    module = sys.modules.get(kind.__module__)
    try:
        spec = importlib.util.find_spec(kind.__module__) if kind.__module__ not in (None, "__main__") else None
    except (ImportError, ValueError):
        return False
    if spec is None or module is None or spec.origin != getattr(module, "__file__", None):
        return False
    found: Any = module
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind


def op_expression(kind: type) -> str:
    """Write the name by which a class is called in a test."""
    plain = kind.__qualname__ if "<locals>" not in kind.__qualname__ else kind.__name__
    parts = plain.split(".")
    return plain if all(p.isidentifier() and not keyword.iskeyword(p) for p in parts) else identifier(kind.__name__)


def _outermost(kind: type) -> str:
    return kind.__qualname__.split(".")[0]


def identifier(name: str) -> str:
    """Make a name of lower-case words out of a class's."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"\W+", "_", words).strip("_").lower() or "op"
    return f"op_{plain}" if not plain.isidentifier() or keyword.iskeyword(plain) else plain


def expression(value: Any) -> str:
    """Write a value as an expression that gives it back, as far as its type allows."""
    if isinstance(value, np.ndarray):
        return literal(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "np.nan" if math.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{expression(k)}: {expression(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return _listed(map(expression, value))
    if isinstance(value, tuple):
        return "(" + ", ".join(map(expression, value)) + (",)" if len(value) == 1 else ")")
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, type):
        return value.__qualname__
    return repr(value)


def _quoted(text: str) -> str:
    """Write a string as formatters do, in double quotes if it holds none."""
    plain = repr(text)
    return plain if '"' in plain or "\\'" in plain else f'"{plain[1:-1]}"'


def _listed(parts: Iterable[str]) -> str:
    return "[" + ", ".join(parts) + "]"


def _call(function: str, arguments: list[str]) -> str:
    """Write a call on one line if it fits; else an argument a line, and arrays over as many as they need."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= WIDTH - 4:
        return line
    wrapped = [_wrapped(argument) for argument in arguments]
    return f"{function}(\n" + "".join(f"{w},\n" for w in wrapped) + ")"


def _wrapped(text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - 4, initial_indent=" " * 4, subsequent_indent=" " * 8,
                          break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return "\n".join(lines) if "'" not in text and '"' not in text else f"    {text}"


def _test(report: Report, failure: Failure, names: dict[str, int]) -> str:
    name = f"test_{identifier(report.name)}_{identifier(failure.property)}"
    names[name] = names.get(name, 0) + 1
    name = name if names[name] == 1 else f"{name}_{names[name]}"
    said = [failure.verdict.reason.removesuffix(failure.verdict.aside), *(d.text for d in failure.diagnoses)]
    wrong = textwrap.wrap("; ".join(_docstring(s) for s in said)[:1200], WIDTH - 8)
    rule = _docstring(failure.rule)
    docstring = [f'"""{rule[:1].upper()}{rule[1:]}.', "", "What was wrong:", *wrong, '"""']
    kind = failure.case.subject.kind
    how = str(failure.case).splitlines() if _is_complete(kind) else _made(failure.case.subject)
    body = [*docstring, *how, *call(failure).splitlines()]
    return f"def {name}():\n" + textwrap.indent("\n".join(body), "    ")


def _made(subject: Subject) -> list[str]:
    """Say of an op that was given as an instance that its class alone may not be it."""
    try:
        alike = _state(subject.kind(**subject.arguments)) == _state(subject.make())
    except Exception:  # which constructors may raise is not known here
        alike = False
    if alike:
        return []
    state = _one_line(", ".join(f"{k}={v!r}" for k, v in state_of(subject.make()).items()))
    return ["# The op was an instance that its class does not make by itself: give the same one in its place.",
            *([f"# It held {state}"[: WIDTH - 4]] if state else [])]  # fmt: skip


def _state(op: Any) -> str:
    return repr(sorted(state_of(op).items(), key=lambda item: item[0]))


def _docstring(text: str) -> str:
    """Write text so that it may stand in a docstring."""
    return _one_line(text).replace("\\", "\\\\").replace('"""', "'''").rstrip('"')


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
