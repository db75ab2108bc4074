"""Reports as a JSON document that any renderer can be given later, and back."""

from __future__ import annotations

import linecache
import math
import platform
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from adverify import schema
from adverify.anatomy import Jacobian, Slope, anatomy_of
from adverify.case import Case, literal
from adverify.isolation import isolated
from adverify.properties import all_properties
from adverify.report import Failure, Report
from adverify.schema import FORMAT, VERSION
from adverify.subject import Arrays
from adverify.verdict import Evidence

LONGEST_TEXT = 20_000
MOST_ELEMENTS = 100_000
"""Of an input, to be asked about again."""
MOST_SHOWN = 4_096
"""Of an array that is only shown."""
MOST_SHAPES = 100
LONGEST_DRAWING = 1_000_000

_USUAL_NAN = "7ff8000000000000"


class Unreadable(ValueError):
    """A text is not a document of reports that this version can read; the message says why."""


def to_document(
    reports: Iterable[Report | schema.Report], *, settings: Mapping[str, Any] | None = None
) -> schema.Document:
    """Make a document of reports.

    Parameters
    ----------
    reports : iterable of Report
        Or of what `record_of` made of one, in another process perhaps.
    settings : mapping, optional
        With what the run was made; anything that JSON can hold.

    Returns
    -------
    dict
        As `adverify.schema.Document` says.

    Examples
    --------
    >>> from adverify import check_function
    >>> from adverify.ops import Exp
    >>> document = to_document([check_function(Exp, max_examples=5)])
    >>> document["reports"][0]["status"]
    'verified'
    >>> loads(dumps(document)) == document
    True
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("adverify", "numpy", "scipy", "hypothesis")},
        "settings": dict(settings or {}),
        "reports": [record_of(r) if isinstance(r, Report) else r for r in reports],
    }


def dumps(document: schema.Document) -> str:
    """Write a document as JSON."""
    return msgspec.json.encode(document).decode() + "\n"


def loads(text: str | bytes) -> schema.Document:
    """Read a document.

    Raises
    ------
    Unreadable
        If the text is no document of reports, of a version that is not known, or damaged; says which, and where.
    """
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Unreadable(f"expected the JSON document of a run; this is no JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise Unreadable(f'expected the JSON document of a run, with "format": "{FORMAT}"; this is other JSON')
    if found.get("version") != VERSION:
        raise Unreadable(
            f"expected a document of version {VERSION}; this is of version {found.get('version')!r}: read it with the "
            "adverify that wrote it, or make the run again"
        )
    try:
        return msgspec.convert(found, schema.Document)
    except msgspec.ValidationError as error:
        raise Unreadable(f"expected the JSON document of a run; this one is damaged: {error}") from error


def record_of(report: Report, anatomy: bool = True) -> schema.Report:
    """Make the part of a document that is about one op.

    Parameters
    ----------
    report : Report
    anatomy : bool
        Whether to look at wrong gradients from near, for which the op is called again.
    """
    with isolated():
        return {
            "name": text(report.name),
            "target": text(report.target),
            "location": _place(report.location),
            "status": "violated" if report.failures else "undecided" if report.obstacle else "verified",
            "headline": text(report.headline),
            "inferred": [text(t) for t in report.inferred],
            "cases": report.cases,
            "undecided": report.undecided,
            "reasons": {text(reason): n for reason, n in report.reasons.most_common()},
            "verdicts": {
                name: {"holds": v["holds"], "undecided": v["undecided"], "violated": v["violated"]}
                for name, v in report.verdicts.items()
            },
            "coverage": _coverage(report),
            "failures": [_failure(f, anatomy) for f in report.failures],
            "resolution": number(report.resolution),
            "obstacle": text(report.obstacle),
            "seconds": number(report.seconds),
        }


def array_of(record: schema.Array) -> np.ndarray:
    """Give back an array, or the part of it that was written: each bit, for floats.

    Examples
    --------
    >>> array_of({"dtype": "float64", "shape": [2], "values": [-0.0, "inf"], "window": None})
    array([-0., inf])
    """
    shape = record["shape"] if record["window"] is None else [stop - start for start, stop in record["window"]]
    return np.array([number_of(v) for v in record["values"]], record["dtype"]).reshape(shape)


def number(value: float) -> schema.Number:
    """Write a number such that JSON can hold it."""
    value = float(value)
    if np.isfinite(value):
        return value
    bits = np.float64(value).tobytes()[::-1].hex()
    return str(value) if np.isinf(value) or bits == _USUAL_NAN else f"nan:{bits}"


def numbers(values: np.ndarray) -> list[schema.Number]:
    """Write numbers likewise."""
    return values.tolist() if np.isfinite(values).all() else [number(v) for v in values]


def number_of(written: Any) -> Any:
    """Read what `number` wrote."""
    if isinstance(written, str) and written.startswith("nan:"):
        return np.frombuffer(bytes.fromhex(written[4:])[::-1])[0]
    return float(written) if written in ("nan", "inf", "-inf") else written


def text(value: str, longest: int = LONGEST_TEXT) -> str:
    """Make text that UTF-8 can hold, and not too much of it."""
    whole = value.encode("utf-8", "backslashreplace").decode()
    return whole if len(whole) <= longest else f"{whole[: longest // 2]} … {whole[-longest // 2 :]}"


def _coverage(report: Report) -> schema.Coverage:
    frequent = report.coverage.shapes.most_common()
    magnitudes = report.coverage.magnitudes
    decades = sorted(d for d in magnitudes if np.isfinite(d))
    return {
        "shapes": [{"shapes": [list(s) for s in shapes], "count": n} for shapes, n in frequent[:MOST_SHAPES]],
        "other_shapes": sum(n for _, n in frequent[MOST_SHAPES:]),
        "magnitudes": [{"decade": int(d), "count": magnitudes[d]} for d in decades],
        "zeros": magnitudes[-np.inf],
        "not_finite": magnitudes[np.inf],
    }


def _failure(failure: Failure, anatomy: bool) -> schema.Failure:
    case, raised = failure.case, failure.verdict.exception
    return {
        "property": failure.property,
        "rule": failure.rule,
        "reason": text(failure.verdict.reason),
        "diagnoses": [{"kind": d.kind, "text": text(d.text)} for d in failure.diagnoses],
        "case": _case(case),
        "evidence": [_evidence(e) for e in failure.verdict.evidence],
        "exception": None if raised is None else _exception(raised),
        "anatomy": _anatomy(failure) if anatomy else None,
        "diagram": _diagram(failure),
    }


def _case(case: Case) -> schema.Case:
    partner, relative = case.partner, case.relative
    return {
        "op": text(case.subject.name),
        "arguments": as_written(case.subject.arguments),
        "inputs": _inputs(case),
        "cotangents": [array(g) for g in _cotangents(case)],
        "seed": case.seed,
        "partner": None if partner is None else {"inputs": _inputs(partner), "seed": partner.seed},
        "relative": None if relative is None else as_written(relative.arguments),
        "python": _python(case),
    }


def _inputs(case: Case) -> list[schema.NamedArray]:
    return [{"name": n, **array(a, MOST_ELEMENTS)} for n, a in zip(case.names, case.arrays, strict=True)]


def _cotangents(case: Case) -> Arrays:
    try:
        return case.cotangents
    except Exception:  # forward's own, on inputs that it took before: what it does then is the failure
        return ()


def _python(case: Case) -> str:
    if sum(a.size for a in case.arrays) > MOST_ELEMENTS:
        return ""
    try:
        whole = str(case)
    except Exception:  # as above
        return ""
    return whole if whole == text(whole) else ""


def as_written(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Write constructor arguments: as literals, where they can be."""
    return {name: text(literal(v) if isinstance(v, np.ndarray) else repr(v)) for name, v in arguments.items()}


def array(values: Any, most: int = MOST_SHOWN, around: Sequence[int] = ()) -> schema.Array:
    """Write an array; of one with more elements than `most`, the part around an element."""
    values = np.asarray(values)
    window = None if values.size <= most else _window(values.shape, most, around)
    part = values if window is None else values[tuple(slice(*w) for w in window)]
    return {"dtype": str(values.dtype), "shape": list(values.shape), "values": _values(part), "window": window}


def _values(part: np.ndarray) -> list[bool | int | float | str]:
    if part.dtype.kind in "biu":
        return np.ravel(part).tolist()
    if part.dtype.kind == "f" and part.dtype.itemsize <= 8:
        return list(numbers(np.ravel(part)))
    return [text(str(v), 200) for v in np.ravel(part)]


def _window(shape: Sequence[int], most: int, around: Sequence[int]) -> list[tuple[int, int]]:
    """Give a part of at most so many elements."""
    lengths = list(shape)
    while math.prod(lengths) > most:
        longest = max(range(len(lengths)), key=lengths.__getitem__)
        lengths[longest] = -(-lengths[longest] // 2)
    at = [*around, *[0] * (len(shape) - len(around))]
    starts = [max(0, min(int(i) - n // 2, size - n)) for i, n, size in zip(at, lengths, shape, strict=True)]
    return [(start, start + n) for start, n in zip(starts, lengths, strict=True)]


def _evidence(evidence: Evidence) -> schema.Evidence:
    first = np.unravel_index(int(np.argmax(evidence.wrong)), evidence.wrong.shape) if evidence.wrong.size else ()
    at = [int(i) for i in first]
    return {
        "what": text(evidence.what),
        "expected": array(evidence.expected, around=at),
        "actual": array(evidence.actual, around=at),
        "error": array(evidence.error, around=at),
        "wrong": array(evidence.wrong, around=at),
        "count": int(np.count_nonzero(evidence.wrong)),
    }


def _anatomy(failure: Failure) -> schema.Anatomy | None:
    """Look at a wrong gradient from near; at other failures there is nothing of that kind to see."""
    judges = {p.name for p in all_properties() if p.judges_gradients}
    if failure.property not in judges or failure.verdict.exception is not None:
        return None
    found = anatomy_of(failure.case)
    return {
        "jacobians": [_jacobian(j) for j in found.jacobians],
        "slope": None if found.slope is None else _slope(found.slope),
        "note": text(found.note),
    }


def _diagram(failure: Failure) -> str:
    """Draw what failed, if it is something that can draw itself: an expression."""
    for holder in (failure, failure.case.subject, failure.case.subject.kind):
        draw = getattr(getattr(holder, "expression", None), "svg", None)
        if callable(draw):
            drawn = str(draw())
            return drawn if len(drawn) <= LONGEST_DRAWING else ""
    return ""


def _jacobian(jacobian: Jacobian) -> schema.Jacobian:
    return {
        "input": jacobian.input,
        "output": jacobian.output,
        "rows": (jacobian.rows.start, jacobian.rows.stop),
        "columns": (jacobian.columns.start, jacobian.columns.stop),
        "size": jacobian.size,
        "analytic": None if jacobian.analytic is None else array(jacobian.analytic),
        "numerical": array(jacobian.numerical),
        "error": array(jacobian.error),
    }


def _slope(slope: Slope) -> schema.Slope:
    return {
        "direction": text(slope.direction),
        "analytic": number(slope.analytic),
        "low": number(slope.low),
        "high": number(slope.high),
        "error": number(slope.error),
        "windows": [{"t": numbers(t), "phi": numbers(phi)} for t, phi in slope.windows],
        "steps": numbers(slope.steps),
        "left": numbers(slope.left),
        "right": numbers(slope.right),
    }


def _exception(error: BaseException) -> schema.Raised:
    try:
        message = str(error)
    except Exception:  # the op's own class
        message = "(its text cannot be had: its __str__ raises)"
    location = _raised_at(error)
    code = linecache.getline(location["file"], location["line"]).strip() if location else ""
    return {"type": text(type(error).__name__), "message": text(message), "location": location, "code": text(code)}


def _raised_at(error: BaseException) -> schema.Place | None:
    """Find the last line that is not a library's."""
    trace, frames = error.__traceback__, []
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    libraries = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    own = [f for f in frames if not f[0].startswith(libraries)]
    return {"file": text((own or frames)[-1][0]), "line": (own or frames)[-1][1]} if frames else None


def _place(location: str) -> schema.Place | None:
    file, _, line = location.rpartition(":")
    return {"file": text(file), "line": int(line)} if file and line.isdigit() else None
