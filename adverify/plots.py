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
from matplotlib.patches import Rectangle

from adverify import schema
from adverify.record import array_of, number_of

COLOURS = {"#010203": "currentColor", "#010204": "var(--forward)", "#010205": "var(--backward)",
           "#010206": "var(--unknown)"}  # fmt: skip
"""What is drawn in the colour on the left gets the page's on the right."""
INK, FORWARD, BACKWARD, UNKNOWN = COLOURS
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "text.parse_math": False, "font.size": 9.0, "axes.titlesize": 9.0,
    "font.sans-serif": ["DejaVu Sans"],
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "xtick.color": INK,
    "ytick.color": INK, "hatch.color": UNKNOWN, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "hatch.linewidth": 0.6,
}  # fmt: skip
CLAIMED = "backward"
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
    known = error[np.isfinite(error)]
    scale = _size(analytic, numerical, known)
    bar = f" ± {known.max():.1g} at most" if known.size and known.max() else ""
    count = f"{int(beyond.sum())} of {beyond.size} framed"
    panels = [
        Panel(CLAIMED, analytic, scale, error),
        Panel(f"forward{bar}", numerical, scale, error),
        Panel(f"difference: {count}", difference, _size(difference[beyond]) if beyond.any() else scale, error, beyond),
    ]
    return [Picture(_heat_map(p, jacobian, f"{key}-{i}"), f"Heat map, {p.title}.") for i, p in enumerate(panels)]


def slope_pictures(slope: schema.Slope, key: str) -> list[Picture]:
    """Draw forward along the worst direction at each distance, and its slope as a function of the step."""
    beside = f"beside the line of slope {number_of(slope['analytic']):.3g} that backward claims"
    along = [
        Picture(
            _along(slope, window, f"{key}-{i}"),
            f"Forward along {slope['direction']}, up to {_brief(_size(_numbers(window['t'])))} away, {beside}.",
        )
        for i, window in enumerate(slope["windows"])
    ]
    by_step = _by_step(slope, f"{key}-steps")
    return [*along, Picture(by_step, "The slope of forward from either side, for shorter and shorter steps.")]


class Panel(NamedTuple):
    """One heat map: its values and unit, and, of differences, which are beyond the error bar."""

    title: str
    values: np.ndarray
    size: float
    error: np.ndarray
    beyond: np.ndarray | None = None


def _heat_map(panel: Panel, jacobian: schema.Jacobian, key: str) -> str:
    rows, columns = panel.values.shape
    with mpl.rc_context(STYLE):
        height = min(3.2, 1.1 + 0.3 * rows)
        figure, axes = _figure(3.1, height, right=0.75)
        shown = np.ma.masked_invalid(panel.values / panel.size)
        image = axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="none", aspect="auto")
        axes.set_title(panel.title, loc="left")
        axes.set_xlabel(jacobian["input"])
        axes.set_ylabel(jacobian["output"])
        _ticks(axes.xaxis, jacobian["columns"])
        _ticks(axes.yaxis, jacobian["rows"])
        for i, j in np.argwhere(~np.isfinite(panel.values)):
            axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, hatch="////", lw=0))
        for i, j in np.argwhere(panel.beyond) if panel.beyond is not None else ():
            width = 1.0 if max(rows, columns) <= FEW else 0.4
            axes.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, ec="black", lw=width))
        if max(rows, columns) <= FEW:
            _write(axes, panel)
        beside = figure.add_axes((1 - 0.68 / 3.1, 0.45 / height, 0.1 / 3.1, 1 - 0.7 / height))
        bar = figure.colorbar(image, cax=beside, ticks=[-1, 0, 1])
        bar.ax.set_yticklabels([_brief(-panel.size), "0", _brief(panel.size)])
        bar.outline.set_visible(False)
        return _svg(figure, key)


def _write(axes: Axes, panel: Panel) -> None:
    for (i, j), value in np.ndenumerate(panel.values):
        unknown = panel.title != CLAIMED and np.isnan(value) and not np.isfinite(panel.error[i, j])
        within = panel.beyond is not None and not panel.beyond[i, j] and np.isfinite(value)
        text = "≈ 0" if within else f"{0.0 if abs(value) < 1e-9 * panel.size else value:.3g}"
        if panel.beyond is None and panel.title != CLAIMED and 0.01 * panel.size < panel.error[i, j] < np.inf:
            text += f" ± {panel.error[i, j]:.1g}"
        dark = np.isfinite(value) and abs(value) > 0.6 * panel.size
        colour = INK if not np.isfinite(value) else "white" if dark else "black"
        axes.text(j, i, "?" if unknown else text, ha="center", va="center", fontsize=8, color=colour)


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
        figure, axes = _figure(2.7, 2.1)
        side = np.array([-1.0, 0.0, 1.0])
        if np.isfinite([low, high]).all():
            ends = np.outer([low, high], side) * reach / size
            axes.fill_between(side, ends[0], ends[1], color=FORWARD, alpha=0.2, lw=1.0)
        axes.plot(t / reach, phi / size, color=FORWARD, lw=1.8)
        axes.plot(side, analytic * reach / size * side, color=BACKWARD, lw=1.5, ls=(0, (5, 2)))
        if not np.isfinite(analytic):
            axes.text(0.05, -0.9, f"backward: {analytic}", color=BACKWARD)
        axes.plot([0], [0], marker="o", ms=4, color=INK)
        axes.set_xlim(-1.05, 1.05)
        axes.set_ylim(-1.1, 1.1)
        axes.set_xticks([-1, 0, 1], [_brief(-reach), "0", _brief(reach)])
        axes.set_yticks([-1, 0, 1], [_brief(-size), "0", _brief(size)])
        axes.set_title("change of <g, forward>", loc="left")
        axes.set_xlabel(f"{_short(slope['direction'])} moves by")
        return _svg(figure, key)


def _by_step(slope: schema.Slope, key: str) -> str:
    steps, left, right = (_numbers(v) for v in (slope["steps"], slope["left"], slope["right"]))
    analytic, low, high, error = (float(number_of(slope[name])) for name in ("analytic", "low", "high", "error"))
    known = np.array([v for v in (analytic, low, high) if np.isfinite(v)] or [0.0])
    size = _size(known)
    middle, spread = float(known.mean()) / size, max(float(np.ptp(known)) / size, 1e-7)
    with mpl.rc_context(STYLE), np.errstate(all="ignore"):
        figure, axes = _figure(2.7, 2.1)
        rung = np.arange(len(steps))
        if np.isfinite([low, high]).all():
            bar = error if np.isfinite(error) else 0.0
            axes.axhspan((low - bar) / size, (high + bar) / size, color=FORWARD, alpha=0.2, lw=1.0)
        axes.plot(rung, left / size, color=FORWARD, marker="<", ms=3, lw=0.8)
        axes.plot(rung, right / size, color=FORWARD, marker=">", ms=3, lw=0.8, ls=":")
        axes.axhline(analytic / size, color=BACKWARD, lw=1.5, ls=(0, (5, 2)))
        axes.set_ylim(middle - 1.1 * spread, middle + 1.1 * spread)
        at = [0, len(steps) // 2, len(steps) - 1]
        axes.set_xticks(at, [_brief(steps[k]) for k in at])
        axes.yaxis.set_major_formatter(lambda y, _: f"{y * size:.3g}")
        axes.set_title("slope from the left and the right", loc="left")
        axes.set_xlabel("step, ever shorter")
        return _svg(figure, key)


def _figure(width: float, height: float, right: float = 0.25) -> tuple[Figure, Axes]:
    """Make a figure of a size in inches; its margins are fixed, for finding them takes longer than all the rest."""
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(0.66 / width, 0.45 / height, 1 - right / width, 1 - 0.25 / height)
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


def _brief(value: float) -> str:
    """Write a number in few characters: 0.3, 7.5e-5."""
    if 0.01 <= abs(value) < 1e4:
        return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


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
