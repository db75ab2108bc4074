"""Pictures of a failure, drawn by matplotlib as SVG that belongs into a page: its colours are the page's.

Everything is drawn in units of its own size, so that gradients of 1e-300 and of 1e300 look alike.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adverify import schema
from adverify.record import array_of, number_of

COLOURS = {"#010203": "currentColor", "#010204": "var(--forward)", "#010205": "var(--backward)",
           "#010206": "var(--unknown)"}  # fmt: skip
"""What is drawn in the colour on the left gets the page's on the right."""
INK, FORWARD, BACKWARD, UNKNOWN = COLOURS
STYLE = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 9.0, "axes.titlesize": 9.0,
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "xtick.color": INK,
    "ytick.color": INK, "hatch.color": UNKNOWN, "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "axes.linewidth": 0.6, "hatch.linewidth": 0.6,
}  # fmt: skip
FEW = 8
"""So many rows and columns have room for their numbers."""


class Picture(NamedTuple):
    """An SVG element, and what it shows in words."""

    svg: str
    words: str


def jacobian_pictures(jacobian: schema.Jacobian, key: str) -> list[Picture]:
    """Draw what backward claims, what forward does, and the difference; `key` tells apart the pictures of a page."""
    numerical, error = array_of(jacobian["numerical"]), array_of(jacobian["error"])
    analytic = np.full_like(numerical, np.nan) if jacobian["analytic"] is None else array_of(jacobian["analytic"])
    with np.errstate(all="ignore"):
        difference = analytic - numerical
        beyond = ~(np.abs(difference) <= error) & (np.isfinite(error) | ~np.isfinite(analytic))
    scale = _size(analytic, numerical)
    wrong = f"{int(beyond.sum())} of {beyond.size} beyond the error bar"
    panels = [
        ("backward (analytic)", analytic, scale, None),
        ("forward (numerical)", numerical, scale, None),
        (f"difference: {wrong}", difference, _size(difference), beyond),
    ]
    return [
        Picture(_heat_map(title, values, size, marked, jacobian, f"{key}-{i}"), f"Heat map, {title}.")
        for i, (title, values, size, marked) in enumerate(panels)
    ]


def slope_pictures(slope: schema.Slope, key: str) -> list[Picture]:
    """Draw forward along the worst direction at each distance, and its slope as a function of the step."""
    far = [
        Picture(_along(slope, window, f"{key}-{i}"), "Forward along the direction, beside backward's straight line.")
        for i, window in enumerate(slope["windows"])
    ]
    return [*far, Picture(_by_step(slope, f"{key}-steps"), "Slope from either side for shorter and shorter steps.")]


def _heat_map(
    title: str, values: np.ndarray, size: float, marked: np.ndarray | None, jacobian: schema.Jacobian, key: str
) -> str:
    rows, columns = values.shape
    with mpl.rc_context(STYLE):
        figure, axes = _figure(3.1, min(3.4, 1.1 + 2.4 * rows / max(columns, rows / 3)))
        shown = np.ma.masked_invalid(values / size)
        image = axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="none", aspect="auto")
        axes.set_title(title, loc="left")
        axes.set_xlabel(jacobian["input"])
        axes.set_ylabel(jacobian["output"])
        _ticks(axes.xaxis, jacobian["columns"])
        _ticks(axes.yaxis, jacobian["rows"])
        for i, j in np.argwhere(shown.mask if np.ndim(shown.mask) else np.zeros((0, 2))):
            axes.add_patch(mpl.patches.Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch="////", lw=0))
        for i, j in np.argwhere(marked) if marked is not None else ():
            axes.add_patch(mpl.patches.Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, ec="black", lw=1))
        if max(rows, columns) <= FEW:
            _write(axes, values, size)
        bar = figure.colorbar(image, ax=axes, ticks=[-1, 0, 1], fraction=0.06, pad=0.04)
        bar.ax.set_yticklabels([f"{-size:.2g}", "0", f"{size:.2g}"])
        bar.outline.set_visible(False)  # type: ignore[operator]
        return _svg(figure, key)


def _write(axes: Axes, values: np.ndarray, size: float) -> None:
    for (i, j), value in np.ndenumerate(values):
        dark = np.isfinite(value) and abs(value) > 0.6 * size
        colour = INK if not np.isfinite(value) else "white" if dark else "black"
        axes.text(j, i, f"{value:.3g}", ha="center", va="center", fontsize=8, color=colour)


def _ticks(axis: Any, part: tuple[int, int]) -> None:
    count = part[1] - part[0]
    at = np.unique(np.linspace(0, count - 1, min(count, 6)).astype(int))
    axis.set_ticks(at, [str(part[0] + k) for k in at])


def _along(slope: schema.Slope, window: schema.Window, key: str) -> str:
    t, phi = _numbers(window["t"]), _numbers(window["phi"])
    reach = float(np.abs(t).max()) or 1.0
    analytic, low, high = (float(number_of(slope[name])) for name in ("analytic", "low", "high"))
    size = _size(phi, np.array([low, high]) * reach, np.array([analytic]) * reach)
    with mpl.rc_context(STYLE), np.errstate(all="ignore"):
        figure, axes = _figure(3.1, 2.3)
        side = np.array([-1.0, 0.0, 1.0])
        ends = [slope_ * reach / size * side for slope_ in (low, high)]
        if np.isfinite(ends).all():
            axes.fill_between(side, *ends, color=FORWARD, alpha=0.2, lw=1.0)
        axes.plot(t / reach, phi / size, color=FORWARD, lw=1.8, marker=".", ms=2.5)
        axes.plot(side, analytic * reach / size * side, color=BACKWARD, lw=1.5, ls=(0, (5, 2)))
        axes.plot([0], [0], marker="o", ms=4, color=INK)
        axes.set_xlim(-1.05, 1.05)
        axes.set_ylim(-1.1, 1.1)
        axes.set_xticks([-1, 0, 1], [f"{-reach:.2g}", "0", f"+{reach:.2g}"])
        axes.set_yticks([-1, 0, 1], [f"{-size:.2g}", "0", f"+{size:.2g}"])
        axes.set_title("change of <g, forward>", loc="left")
        axes.set_xlabel(f"{_short(slope['direction'])} moves by")
        return _svg(figure, key)


def _by_step(slope: schema.Slope, key: str) -> str:
    steps, left, right = (_numbers(v) for v in (slope["steps"], slope["left"], slope["right"]))
    analytic, low, high, error = (float(number_of(slope[name])) for name in ("analytic", "low", "high", "error"))
    known = np.array([v for v in (analytic, low, high) if np.isfinite(v)] or [float(np.nanmedian(right))])
    size = _size(known)
    middle, spread = float(known.mean()) / size, float(np.ptp(known)) / size or 1.0
    with mpl.rc_context(STYLE), np.errstate(all="ignore"):
        figure, axes = _figure(3.1, 2.3)
        rung = np.arange(len(steps))
        if np.isfinite([low, high]).all():
            bar = error if np.isfinite(error) else 0.0
            axes.axhspan((low - bar) / size, (high + bar) / size, color=FORWARD, alpha=0.2, lw=1.0)
        axes.plot(rung, left / size, color=FORWARD, marker="<", ms=3, lw=0.8, label="from the left")
        axes.plot(rung, right / size, color=FORWARD, marker=">", ms=3, lw=0.8, ls=":", label="from the right")
        axes.axhline(analytic / size, color=BACKWARD, lw=1.5, ls=(0, (5, 2)))
        axes.set_ylim(middle - 1.1 * spread, middle + 1.1 * spread)
        at = [0, len(steps) // 2, len(steps) - 1]
        axes.set_xticks(at, [f"{steps[k]:.0e}" for k in at])
        axes.yaxis.set_major_formatter(lambda y, _: f"{y * size:.3g}")
        axes.set_title("slope", loc="left")
        axes.set_xlabel("step, ever shorter")
        axes.legend(loc="upper right", fontsize=8)
        return _svg(figure, key)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    return figure, axes


def _size(*arrays: np.ndarray) -> float:
    """Give the largest finite magnitude: the unit of a picture."""
    sizes = [np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in arrays]
    return float(max(sizes)) or 1.0


def _numbers(written: Sequence[schema.Number]) -> np.ndarray:
    return np.array([number_of(v) for v in written], float)


def _short(name: str, most: int = 30) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _svg(figure: Figure, key: str) -> str:
    """Write a figure as an element of a page: with its colours, and names that no other has."""
    with mpl.rc_context({"svg.hashsalt": key}), io.StringIO() as file:
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{key}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{key}-", text)
    for drawn, page in COLOURS.items():
        text = text.replace(drawn, page)
    return text.replace("<svg", '<svg aria-hidden="true"', 1)
