"""Pictures of expressions: Graphviz, Mermaid, and SVG drawn here."""

from __future__ import annotations

import html
from collections.abc import Iterator

import numpy as np

from adverify.expression import Apply, Expression, Leaf

WIDTH, HEIGHT, GAP = 150, 40, 30
KEPT = "#1668b8"


def dot(e: Expression) -> str:
    """Write a graph in Graphviz's language; it is marked as in `svg`, and edges have the positions of inputs."""
    lines = ["digraph {", "    rankdir=BT", "    node [shape=box]"]
    for i, n in enumerate(e.nodes):
        text = label(e, i).replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'    n{i} [label="{text}"{", style=rounded" if isinstance(n, Leaf) else ""}]')
    lines += [f"    n{a} -> n{b}" + (f' [label="{text}"]' if text else "") for a, b, text in _labelled_edges(e)]
    lines += [f'    n{i} [color="{KEPT}"]' for i in _kept(e)]
    lines += [f"    n{i} [penwidth=2]" for i in _roots(e)]
    return "\n".join([*lines, "}"])


def mermaid(e: Expression) -> str:
    """Write a graph in Mermaid's language; it is marked as in `svg`, and edges have the positions of inputs."""
    lines = ["flowchart BT"]
    for i, n in enumerate(e.nodes):
        left, right = ("([", "])") if isinstance(n, Leaf) else ("[", "]")
        lines.append(f'    n{i}{left}"{label(e, i).translate(_MERMAID)}"{right}')
    lines += [f"    n{a} -->{f'|{text}|' if text else ''} n{b}" for a, b, text in _labelled_edges(e)]
    kept, roots = set(_kept(e)), set(_roots(e))
    for i in sorted(kept | roots):
        marks = [f"stroke:{KEPT}"] * (i in kept) + ["stroke-width:3px"] * (i in roots)
        lines.append(f"    style n{i} {','.join(marks)}")
    return "\n".join(lines)


_MERMAID = str.maketrans({"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"})
"""Mermaid has codes of its own, which begin with #."""


def svg(e: Expression) -> str:
    """Draw a graph, leaves at the bottom; the outputs have a thick frame, what keeps its gradient a blue one.

    The edges of an op's inputs end in their order, from left to right.
    """
    places = _places(e)
    right = max((x for x, _ in places), default=0) + WIDTH + GAP
    bottom = max((y for _, y in places), default=0) + HEIGHT + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {bottom}" width="{right}" height="{bottom}" '
        f'role="img" font-family="sans-serif" font-size="12"><title>{html.escape(repr(e))}</title>'
    ]
    for a, b, position in _edges(e):
        (xa, ya), (xb, yb) = places[a], places[b]
        end = xb + WIDTH * (position + 1) / (len(e.nodes[b].inputs) + 1)
        parts.append(f'<line x1="{xa + WIDTH / 2:g}" y1="{ya}" x2="{end:g}" y2="{yb + HEIGHT}" stroke="#888"/>')
    kept, roots = set(_kept(e)), set(_roots(e))
    for i, (n, (x, y)) in enumerate(zip(e.nodes, places, strict=True)):
        radius, thick = (18 if isinstance(n, Leaf) else 3), (3 if i in roots else 1)
        parts.append(
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="{radius}" fill="#fff" '
            f'stroke="{KEPT if i in kept else "#444"}" stroke-width="{thick}"/>'
            f'<text x="{x + WIDTH / 2:g}" y="{y + 24}" text-anchor="middle">{html.escape(_short(label(e, i)))}</text>'
        )
    return "".join([*parts, "</svg>"])


def label(e: Expression, i: int) -> str:
    """What is written on a node: its number, and the op or the shape."""
    n = e.nodes[i]
    return f"{i}: {n.subject.name}" if isinstance(n, Apply) else f"{i}: {_array(n.array)}"


def _array(array: np.ndarray) -> str:
    return f"{float(array):.6g}" if array.ndim == 0 else f"{' x '.join(map(str, array.shape))} array"


def _short(text: str, most: int = 22) -> str:
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _edges(e: Expression) -> Iterator[tuple[int, int, int]]:
    """Each edge: from, to, and the position among the inputs there."""
    return ((u.node, k, position) for k, n in enumerate(e.nodes) for position, u in enumerate(n.inputs))


def _labelled_edges(e: Expression) -> Iterator[tuple[int, int, str]]:
    """The edges, with their positions where there are several."""
    return ((a, b, str(position) if len(e.nodes[b].inputs) > 1 else "") for a, b, position in _edges(e))


def _kept(e: Expression) -> list[int]:
    """The nodes whose gradient is kept."""
    return [i for i, n in enumerate(e.nodes) if (n.requires_grad if isinstance(n, Leaf) else n.kept)]


def _roots(e: Expression) -> list[int]:
    return sorted({u.node for u in e.outputs})


def _places(e: Expression) -> list[tuple[int, int]]:
    """Where the boxes go: a row for each distance from the leaves."""
    rows: list[int] = []
    columns: list[int] = []
    for n in e.nodes:
        rows.append(max((rows[u.node] + 1 for u in n.inputs), default=0))
        columns.append(rows[:-1].count(rows[-1]))
    top = max(rows, default=0)
    return [(GAP + c * (WIDTH + GAP), GAP + (top - r) * (HEIGHT + GAP)) for r, c in zip(rows, columns, strict=True)]
