"""An expression as Python that builds and differentiates it."""

from __future__ import annotations

import inspect
import keyword
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from adverify.absent_inputs import original
from adverify.case import literal
from adverify.engine import Function
from adverify.expression import Apply, Expression, Leaf, Use
from adverify.regression import expression as written_value
from adverify.state import state_of
from adverify.subject import Subject

RESERVED = {"np", "tensor", "variable", "output", "Total", "Expression", "check_expression"}
"""Names that the Python of a graph, and what is written after it, needs for other things than ops."""
WIDTH = 100


def python(e: Expression) -> str:
    """Write a graph as Python that runs."""
    return "\n".join(_lines(e))


def traced(e: Expression) -> str:
    """Write how the graph is read again, once `python` has run."""
    names = [_written(e, u) for u in e.outputs]
    weights = ", ".join(literal(g) for g in e.cotangents)
    plain = all(np.all(g == 1) for g in e.cotangents)
    return f"Expression.trace({', '.join(names)}{'' if plain else f', cotangents=[{weights}]'})"


def _lines(e: Expression) -> Iterator[str]:
    names = _Names()
    yield from _imports(e, names)
    yield ""
    instances: dict[Any, str] = {}
    for i, n in enumerate(e.nodes):
        if isinstance(n, Leaf):
            yield f"x{i} = {'tensor' if n.requires_grad else 'variable'}({literal(n.array)})"
            continue
        kind, name = original(n.subject.kind), n.subject.name
        if (kind, name) not in instances:
            snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
            instances[kind, name] = names.new(snake)
            yield from _made(instances[kind, name], names.of[kind], n.subject)
        operands = ", ".join("None" if u is None else _written(e, u) for u in n.written)
        yield f"v{i} = {instances[kind, name]}({operands})"
        if n.kept and len(e.values[i]) > 1:
            yield f"for output in v{i}:\n    output.requires_grad = True"
        elif n.kept:
            yield f"v{i}.requires_grad = True"
    outputs = ", ".join(_written(e, u) for u in e.outputs)
    cotangents = ", ".join(literal(g) for g in e.cotangents)
    yield f"{outputs}.backward({cotangents})" if len(e.outputs) == 1 else f"Total({cotangents})({outputs}).backward()"


class _Names:
    """Names that are not taken yet."""

    def __init__(self) -> None:
        self.of: dict[type, str] = {}
        self._taken = set(RESERVED)

    def new(self, wanted: str) -> str:
        """Give the name that is wanted, or one like it."""
        plain = re.sub(r"\W|^(?=\d)", "_", wanted)
        name, count = plain, 1
        while name in self._taken or keyword.iskeyword(name) or re.fullmatch(r"[xv]\d+", name):
            count += 1
            name = f"{plain}_{count}"
        self._taken.add(name)
        return name


def _imports(e: Expression, names: _Names) -> Iterator[str]:
    makers = {n.requires_grad for n in e.nodes if isinstance(n, Leaf)}
    yield "import numpy as np"
    used = [name for name, wanted in (("tensor", True in makers), ("variable", False in makers)) if wanted]
    if used:
        yield f"from adverify import {', '.join(used)}"
    if len(e.outputs) > 1:
        yield "from adverify.expression import Total"
    kinds = dict.fromkeys(original(n.subject.kind) for n in e.nodes if isinstance(n, Apply))
    known: dict[tuple[str, str], str] = {}
    for kind in sorted(kinds, key=lambda k: (k.__module__, k.__qualname__)):
        outermost, *path = kind.__qualname__.split(".")
        if not _is_found(kind):
            names.of[kind] = names.new(kind.__name__)
            yield from _placeholder(names.of[kind], f"{kind.__module__}.{kind.__qualname__} cannot be imported. "
                                    "Put its definition in this place:")  # fmt: skip
            continue
        if (kind.__module__, outermost) not in known:
            name = known[kind.__module__, outermost] = names.new(outermost)
            yield f"from {kind.__module__} import {outermost}{_other_name(outermost, name)}{_remark(kind)}"
        names.of[kind] = ".".join([known[kind.__module__, outermost], *path])


def _other_name(own: str, name: str) -> str:
    return f" as {name}" if name != own else ""


def _remark(kind: type) -> str:
    file = getattr(sys.modules["__main__"], "__file__", None) if kind.__module__ == "__main__" else None
    return f"  # of {file}, which was run as a script" if file else ""


def _is_found(kind: type) -> bool:
    """Whether a class's module and qualified name lead to it."""
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None) if part.isidentifier() and not keyword.iskeyword(part) else None
    return found is kind


def _made(name: str, kind: str, subject: Subject) -> Iterator[str]:
    """Write how an instance is made; a comment that says what it held where its class does not make one like it."""
    positional, keywords = _constructor_arguments(subject)
    held = ", ".join(f"{k}={v!r}" for k, v in state_of(_op(subject)).items())
    try:
        made = original(subject.kind)(*positional, **keywords)
    except Exception as error:  # which constructors may raise is not known here
        yield from _placeholder(name, f"{kind} cannot be made again from what is known of it ({error}). It held "
                                f"{held or 'nothing'}. Put one that does in this place:")  # fmt: skip
        return
    if not _is_alike(made, _op(subject)):
        yield from _comment(f"This {kind} held {held}, which a new one does not:")
    written = [*map(written_value, positional), *(f"{k}={written_value(v)}" for k, v in keywords.items())]
    yield f"{name} = {kind}({', '.join(written)})"


def _op(subject: Subject) -> Function:
    made = subject.make()
    return getattr(made, "op", made) if original(subject.kind) is not subject.kind else made


def _constructor_arguments(subject: Subject) -> tuple[list[Any], dict[str, Any]]:
    """Split the arguments of a constructor as it takes them: whatever is before `*arguments` has to be positional."""
    kinds = {name: p.kind for name, p in inspect.signature(original(subject.kind)).parameters.items()}
    keywords = dict(subject.arguments)
    positional: list[Any] = []
    several = inspect.Parameter.VAR_POSITIONAL
    is_before = any(kinds.get(k) is several for k in keywords)
    for k in subject.arguments:
        if kinds.get(k) is several:
            positional += keywords.pop(k)
            is_before = False
        elif is_before or kinds.get(k) is inspect.Parameter.POSITIONAL_ONLY:
            positional.append(keywords.pop(k))
    return positional, keywords


def _is_alike(made: Function, held: Function) -> bool:
    """Whether an instance has at least what a new one has; it may also keep what its forward left."""
    state = state_of(held)
    return all(k in state and repr(state[k]) == repr(v) for k, v in state_of(made).items())


def _placeholder(name: str, why: str) -> Iterator[str]:
    yield from _comment(why)
    yield f"{name} = ..."


def _comment(text: str) -> Iterator[str]:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return (f"# {line}" for line in textwrap.wrap(plain, WIDTH - 2))


def _written(e: Expression, u: Use) -> str:
    if isinstance(e.nodes[u.node], Leaf):
        return f"x{u.node}"
    return f"v{u.node}[{u.output}]" if len(e.values[u.node]) > 1 else f"v{u.node}"
