"""An expression as Python that builds and differentiates it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from adverify.case import literal
from adverify.expression import Apply, Expression, Leaf, Use


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
    kinds = sorted({(n.subject.kind.__module__, n.subject.kind.__name__) for n in e.nodes if isinstance(n, Apply)})
    makers = {n.requires_grad for n in e.nodes if isinstance(n, Leaf)}
    yield "import numpy as np"
    names = [name for name, wanted in (("tensor", True in makers), ("variable", False in makers)) if wanted]
    yield f"from adverify import {', '.join(names)}"
    if len(e.outputs) > 1:
        yield "from adverify.expression import Total"
    for module, name in kinds:
        yield f"from {module} import {name}"
    yield ""
    instances = _names_of_instances(e)
    made: set[str] = set()
    for i, n in enumerate(e.nodes):
        if isinstance(n, Leaf):
            yield f"x{i} = {'tensor' if n.requires_grad else 'variable'}({literal(n.array)})"
            continue
        name = instances[n.subject.kind, n.subject.name]
        if name not in made:
            made.add(name)
            call = re.sub(r"\b(inf|nan)\b", r"np.\1", n.subject.name.partition("#")[0])
            yield f"{name} = {call if call.endswith(')') else f'{call}()'}"
        several = len(e.values[i]) > 1
        operands = ", ".join(_written(e, u) for u in n.inputs)
        yield f"v{i} = {name}({operands})"
        if n.kept and several:
            yield f"for output in v{i}:\n    output.requires_grad = True"
        elif n.kept:
            yield f"v{i}.requires_grad = True"
    outputs = ", ".join(_written(e, u) for u in e.outputs)
    cotangents = ", ".join(literal(g) for g in e.cotangents)
    yield f"{outputs}.backward({cotangents})" if len(e.outputs) == 1 else f"Total({cotangents})({outputs}).backward()"


def _written(e: Expression, u: Use) -> str:
    if isinstance(e.nodes[u.node], Leaf):
        return f"x{u.node}"
    return f"v{u.node}[{u.output}]" if len(e.values[u.node]) > 1 else f"v{u.node}"


def _names_of_instances(e: Expression) -> dict[Any, str]:
    named: dict[Any, str] = {}
    for n in e.nodes:
        if isinstance(n, Apply):
            snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", n.subject.kind.__name__).lower()
            taken = sum(name.rstrip("_0123456789") == snake for name in named.values())
            named.setdefault((n.subject.kind, n.subject.name), f"{snake}_{taken + 1}" if taken else snake)
    return named
