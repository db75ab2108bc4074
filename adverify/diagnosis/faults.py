"""What the broken property shows by itself, or when the op is asked again: what is raised, changed, kept, not added."""

from __future__ import annotations

import copy
import inspect
import itertools
import linecache
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import adverify
from adverify.case import Case
from adverify.diagnosis.base import GRADIENT, Fault
from adverify.diagnosis.witness import RELATIVE, alternatives, true_gradient
from adverify.engine import Function, Variable, variable
from adverify.properties import all_properties
from adverify.report import Failure
from adverify.subject import Arrays, BackwardRaised, Rejected

EVERYWHERE = tuple(p.name for p in all_properties())
HERE = str(Path(adverify.__file__).parent)


class Broadcast(Fault):
    """The shape is that of the output: added up over the axes that were broadcast it is the true gradient."""

    kind = "broadcast"
    properties = (*GRADIENT, "shape", "special values")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        if failure.verdict.exception is None and failure.property != "shape":
            return ""
        for i, name in enumerate(case.names):
            answers = [a for a in (_lacks_sum(c, i) for c in itertools.islice(alternatives(case), 12)) if a is not None]
            if _lacks_sum(case, i) and len(answers) >= 2 and all(answers):
                shape, output = case.arrays[i].shape, case.outputs[0].shape
                axes = _broadcast_axes(shape, output)
                what = f"axes {', '.join(map(str, axes))}" if len(axes) > 1 else f"axis {axes[0]}"
                return (f"{name}.grad must be added up over {what} of the output's shape {output}, along which {name} "
                        f"of shape {shape} was broadcast")  # fmt: skip
        return ""


def _lacks_sum(case: Case, i: int) -> bool | None:
    """Whether what backward gives for a broadcast input is right once added up; None if the case does not tell."""
    try:
        if len(case.outputs) != 1 or not _is_broadcast(case.arrays[i].shape, case.outputs[0].shape):
            return None
        gradient = _unreduced(case, i)
        expected, bar = (part[i] for part in true_gradient(case))
    except Rejected:
        return None
    if gradient is None or gradient.shape != case.outputs[0].shape:
        return False
    total = _added_up(gradient, case.arrays[i].shape)
    return bool((np.abs(total - expected) <= bar + RELATIVE * np.abs(total)).all())


def _is_broadcast(shape: tuple[int, ...], output: tuple[int, ...]) -> bool:
    try:
        return shape != output and np.broadcast_shapes(shape, output) == output
    except ValueError:
        return False


def _broadcast_axes(shape: tuple[int, ...], output: tuple[int, ...]) -> tuple[int, ...]:
    padded = (-1,) * (len(output) - len(shape)) + shape
    return tuple(k for k, (a, b) in enumerate(zip(padded, output, strict=True)) if a != b)


def _added_up(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(gradient.sum(axis=_broadcast_axes(shape, gradient.shape))).reshape(shape)


def _unreduced(case: Case, i: int) -> np.ndarray | None:
    """Give what backward leaves in an input's gradient if that is given room for the output's shape."""
    op, inputs = case.subject.make(), [variable(np.array(a)) for a in case.arrays]
    case.subject.apply(op, inputs)
    for x, a in zip(inputs, case.arrays, strict=True):
        if _is_broadcast(a.shape, case.outputs[0].shape):
            x.grad = np.zeros(case.outputs[0].shape)
    try:
        return np.asarray(case.subject.pull_back(op, inputs, case.cotangents)[i], float)
    except BackwardRaised:
        return None


class Raises(Fault):
    """An exception, where nothing more telling is found."""

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


class WrongShape(Fault):
    """A gradient that does not have the shape of its input."""

    kind = "shape"
    properties = ("shape",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason if " shape " in failure.verdict.reason else ""


class WrongType(Fault):
    """A gradient of another dtype."""

    kind = "dtype"
    properties = ("shape",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason if " dtype " in failure.verdict.reason else ""


class Overwritten(Fault):
    """``=`` in place of ``+=``."""

    kind = "overwritten"
    properties = ("accumulation", "aliasing", "reentrancy", "composition")

    def explain(self, failure: Failure) -> str:
        names = [n for n, plain, after in _with_something_held(failure.case) if all(_same(a, plain) for _, a in after)]
        names = [f"{n}.grad" for n in names]
        return f"{' and '.join(names)} {_is(names)} assigned where it must be added to" if names else ""


class Scratch(Fault):
    """What was held is changed on the way."""

    kind = "scratch"
    properties = ("accumulation",)

    def explain(self, failure: Failure) -> str:
        found = []
        for name, plain, after in _with_something_held(failure.case):
            kept = [(a - plain) / h for h, a in after]
            if all(_same(k, kept[0]) for k in kept) and not _same(kept[0], np.ones_like(kept[0])):
                unlike = np.ptp(kept[0]) > 1e-6 * np.abs(kept[0]).max(initial=0.0)
                times = "multiplied as well" if unlike else f"multiplied by {np.mean(kept[0]):.6g}"
                found.append(f"what {name}.grad held before is {times}")
            elif all(_same(a, h) for h, a in after) and plain.any():
                found.append(f"nothing is added to {name}.grad if it holds something already")
        return "; ".join(found)


def _with_something_held(case: Case) -> list[tuple[str, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]]:
    """Give each input's name, its plain gradient, and what was held before with what is there after, several times."""
    rng = case.rng()
    plain = [np.asarray(v, float) for v in case.vjp]
    after: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in plain]
    for _ in range(3):
        op, inputs = case.subject.make(), [variable(np.array(a)) for a in case.arrays]
        held = [rng.uniform(0.5, 2.0, a.shape) * (np.abs(v).max(initial=0.0) or 1.0)
                for a, v in zip(case.arrays, plain, strict=True)]  # fmt: skip
        for x, h in zip(inputs, held, strict=True):
            x.grad = np.array(h)
        case.subject.apply(op, inputs)
        left = case.subject.pull_back(op, inputs, case.cotangents)
        for pairs, h, a in zip(after, held, left, strict=True):
            pairs.append((h, np.asarray(a, float)))
    return [(n, v, pairs) for n, v, pairs in zip(case.names, plain, after, strict=True)
            if v.size and all(np.shape(a) == v.shape for _, a in pairs)]  # fmt: skip


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-9, atol=1e-12 * float(np.abs(b).max(initial=0.0))))


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are each"


class Mutation(Fault):
    """Read-only arrays tell which line writes."""

    kind = "mutation"
    properties = ("purity",)

    def explain(self, failure: Failure) -> str:
        reason = failure.verdict.reason.removesuffix(failure.verdict.aside)
        if " changes " not in reason:
            return ""
        who, what = reason.split(" changes ", 1)
        named = " and ".join(e.what for e in failure.verdict.evidence) if what.startswith("its input") else what
        return f"{who} changes {named} in place{_writing_line(failure.case)}"


def _writing_line(case: Case) -> str:
    op, inputs = case.subject.make(), [variable(np.array(a)) for a in case.arrays]
    for x in inputs:
        x.data.flags.writeable = False
    cotangents = [np.array(g) for g in case.cotangents]
    for g in cotangents:
        g.flags.writeable = False
    try:
        outputs = case.subject.apply(op, inputs)
        for y in outputs:
            if isinstance(y.data, np.ndarray):
                y.data.flags.writeable = False
        case.subject.pull_back(op, inputs, cotangents)
    except (Rejected, BackwardRaised) as error:
        cause = error.__cause__
        if cause is not None and "read-only" in str(cause):
            return own_line(cause, case)
    return ""


class SharedMemory(Fault):
    """One array in two places."""

    kind = "shared"
    properties = ("aliasing", "reentrancy", "accumulation", "composition")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        op, inputs = case.subject.make(), [variable(np.array(a)) for a in case.arrays]
        outputs = case.subject.apply(op, inputs)
        cotangents = [np.array(g) for g in case.cotangents]
        case.subject.pull_back(op, inputs, cotangents)
        for i, x in enumerate(inputs):
            for j, y in enumerate(inputs[:i]):
                if np.shares_memory(x.grad, y.grad):
                    return f"{case.names[j]}.grad and {case.names[i]}.grad are the same memory"
        again = [variable(np.array(a)) for a in case.arrays]
        later = case.subject.apply(op, again)
        for y, z in zip(outputs, later, strict=True):
            if np.shares_memory(y.data, z.data):
                return "the outputs of two calls of one instance are the same memory"
        return ""


class Stale(Fault):
    """What an instance keeps is put back as it was: if that makes the gradient right, it was what backward used."""

    kind = "stale"
    properties = ("reentrancy", "purity", "composition")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        for other in (case.partner, case.sibling, case):
            if other is None:
                continue
            for blame in (_latest_forward, _earlier_call, _second_pass):
                names = blame(case, other)
                if names:
                    kept = " and ".join(f"self.{n}" for n in names)
                    return _SAYS[blame.__name__].format(kept=kept, plural="" if len(names) > 1 else "s")
        return ""


_SAYS = {
    "_latest_forward": "backward uses {kept}, which the latest forward replaced: "
    "an earlier use of the instance gets the values of a later one",
    "_earlier_call": "{kept} stay{plural} as the instance's first call left it, and later calls use it",
    "_second_pass": "backward changes {kept}, so that a second pass gives something else",
}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [n for n, v in after.items() if n not in before or not _is_alike(before[n], v)]


def _is_alike(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, Variable) or isinstance(b, Variable):
        return a is b
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return a is b


def _latest_forward(case: Case, other: Case) -> list[str]:
    op = case.subject.make()
    inputs, others = _variables(case), _variables(other)
    case.subject.apply(op, inputs)
    first = copy.deepcopy(vars(op))
    case.subject.apply(op, others)
    names = _changed(first, vars(op))
    if not names or _is_right(case, op, inputs):
        return []
    vars(op).update({n: first[n] for n in names if n in first})
    return names if _is_right(case, op, _variables(case)) else []


def _earlier_call(case: Case, other: Case) -> list[str]:
    """Let `other` come first, and see which attributes of the instance are to blame for what `case` then gets."""
    op = case.subject.make()
    new = copy.deepcopy(vars(op))
    others = _variables(other)
    case.subject.apply(op, others)
    _pulled(other, op, others)
    names = _changed(new, vars(op))
    inputs = _variables(case)
    case.subject.apply(op, inputs)
    if not names or _is_right(case, op, inputs):
        return []
    vars(op).clear()
    vars(op).update(new)
    inputs = _variables(case)
    case.subject.apply(op, inputs)
    return names if _is_right(case, op, inputs) else []


def _second_pass(case: Case, other: Case) -> list[str]:
    op, inputs = case.subject.make(), _variables(case)
    case.subject.apply(op, inputs)
    ready = copy.deepcopy(vars(op))
    _pulled(case, op, inputs)
    names = _changed(ready, vars(op))
    if not names or _is_right(case, op, _variables(case)):
        return []
    vars(op).clear()
    vars(op).update(copy.deepcopy(ready))
    return names if _is_right(case, op, _variables(case)) else []


def _variables(case: Case) -> list[Variable]:
    return [variable(np.array(a)) for a in case.arrays]


def _pulled(case: Case, op: Any, inputs: Sequence[Variable]) -> Arrays | None:
    try:
        return case.subject.pull_back(op, inputs, [np.array(g) for g in case.cotangents])
    except BackwardRaised:
        return None


def _is_right(case: Case, op: Any, inputs: Sequence[Variable]) -> bool:
    """Whether backward gives, on an instance in the state it is in, what it gives on a new one."""
    for x in inputs:
        x.grad = np.zeros(x.data.shape)
    given = _pulled(case, op, inputs)
    return given is not None and all(
        _same(np.asarray(a, float), np.asarray(b, float)) for a, b in zip(given, case.vjp, strict=True)
    )


class KeptOnVariable(Fault):
    """State on an input, which another use of it finds."""

    kind = "stale"
    properties = ("reentrancy", "composition", "aliasing")

    def explain(self, failure: Failure) -> str:
        case = failure.case
        op, inputs = case.subject.make(), _variables(case)
        before = [set(vars(x)) for x in inputs]
        case.subject.apply(op, inputs)
        kept = [f"{n}.{a}" for n, x, b in zip(case.names, inputs, before, strict=True) for a in set(vars(x)) - b]
        return f"forward keeps {' and '.join(sorted(kept))} on its input, where another use replaces it" if kept else ""


class Nondeterministic(Fault):
    """Another result each time."""

    kind = "nondeterministic"
    properties = ("determinism",)

    def explain(self, failure: Failure) -> str:
        case = failure.case
        gradients = []
        for _ in range(6):
            np.random.seed(0)  # noqa: NPY002  # what the op may draw from
            gradients.append(case.subject.forward(case.arrays) + case.subject.vjp(case.arrays, case.cotangents))
        drawn = all(
            _same(np.asarray(a), np.asarray(b)) for other in gradients for a, b in zip(gradients[0], other, strict=True)
        )
        source = ": it draws from NumPy's global random state" if drawn else ""
        return f"{failure.verdict.reason}{source}"


class Memory(Fault):
    """A result that depends on the order in memory."""

    kind = "memory"
    properties = ("layout",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason


class Precision(Fault):
    """Digits lost to float32."""

    kind = "precision"
    properties = ("precision",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason
