"""Draw docs/explanation/*.svg, of estimates by adverify/oracle.py: ``python docs/make_tolerance_plots.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adverify import oracle

FOLDER = Path(__file__).parent / "explanation"
GREY, BLUE, ORANGE, GREEN = "#808080", "#3b8fc4", "#d9822b", "#3f9d6b"
RUNGS = oracle.FULL_RUNGS

mpl.rcParams |= {
    "svg.hashsalt": "adverify",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "text.color": GREY,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "savefig.transparent": True,
}


class Ladder:
    """The oracle's estimates of f'(x) at every step."""

    def __init__(self, f: Callable[[np.ndarray], np.ndarray], x: float) -> None:
        samples = oracle.sample(f, np.array([x]), np.ones(1), np.ones((1, 1)), RUNGS)
        self.central = oracle.central(samples)[0]
        self.right, self.left = (oracle.one_sided(samples, side)[0] for side in (1, -1))
        self.steps = 2.0 ** -np.arange(self.central.size)
        self.rounding = oracle.amplification(0) * samples.rounding[0][: self.central.size] / self.steps
        screen = oracle.screen(oracle.sample(f, np.array([x]), np.ones(1), np.ones((1, 1)), oracle.SCREEN_RUNGS))
        self.value, self.bar = float(screen.value[0]), float(screen.error[0])


def save(figure: Figure, name: str) -> None:
    """Write a figure without anything that changes from run to run."""
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def new(columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Begin a figure of panels side by side."""
    figure = Figure(figsize=(6.4, 3.1), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def draw_regimes() -> None:
    """Error against step: truncation falls, rounding rises."""
    figure, (axes,) = new()
    x, true = 1.0, np.cos(1.0)
    ladder = Ladder(np.sin, x)
    with np.errstate(all="ignore"):
        axes.loglog(
            ladder.steps, np.abs(ladder.central - true), "o-", color=BLUE, ms=3, lw=1, label="error of the estimate"
        )
    axes.loglog(ladder.steps, ladder.rounding, "--", color=ORANGE, lw=1, label="what rounding can do")
    axes.axhline(ladder.bar, color=GREEN, lw=1, label="the error bar that is taken")
    axes.set(
        xlabel="step", ylabel="error of the derivative", ylim=(1e-17, 1e1), title="sin x at 1: order 8, steps halved"
    )
    axes.annotate("truncation", (0.25, 1e-6), (0.5, 1e-9), color=GREY)
    axes.annotate("rounding", (1e-9, 1e-7), (1e-12, 1e-8), color=GREY)
    axes.legend(loc="upper center")
    save(figure, "regimes")


def draw_kink() -> None:
    """Slopes from either side that differ, and a kink near the point."""
    figure, panels = new(2)
    for axes, x, title in zip(panels, (0.0, 1e-4), ("|x| at 0: a kink", "|x| at 0.0001: a kink nearby"), strict=True):
        ladder = Ladder(np.abs, x)
        _slopes(axes, ladder, title)
        axes.set(ylim=(-1.6, 1.6))
    panels[0].legend(loc="center left", bbox_to_anchor=(0.0, 0.66))
    save(figure, "kink")


def draw_jump() -> None:
    """Estimates across a jump grow without end; beside it they are 0."""
    figure, panels = new(2)
    for axes, x, title in zip(
        panels, (1.0, 1.001), ("floor x at 1: a jump", "floor x at 1.001: a jump nearby"), strict=True
    ):
        ladder = Ladder(np.floor, x)
        with np.errstate(all="ignore"):
            axes.semilogx(ladder.steps, np.abs(ladder.central), "o-", color=BLUE, ms=3, lw=1)
        axes.set_yscale("symlog", linthresh=1e-1)
        axes.set(xlabel="step", ylabel="|estimate|", title=title, ylim=(-0.05, 1e16), yticks=[0, 1, 1e5, 1e10, 1e15])
    save(figure, "jump")


def draw_cancellation() -> None:
    """A large constant hides the digits of what varies."""
    figure, (axes,) = new()
    true = np.cos(1.0)
    for f, label, colour in (
        (np.sin, "sin x", BLUE),
        (lambda x: 1e8 + np.sin(x), "10⁸ + sin x", ORANGE),
    ):
        ladder = Ladder(f, 1.0)
        with np.errstate(all="ignore"):
            error = np.abs(ladder.central - true)
        axes.loglog(ladder.steps, error, "o-", color=colour, ms=3, lw=1, label=label)
        if np.isfinite(ladder.bar):
            axes.axhline(ladder.bar, color=colour, lw=1, ls="--", label=f"its error bar, {ladder.bar:.0e}")
    axes.set(xlabel="step", ylabel="error of the derivative", ylim=(1e-17, 1e9), title="cancellation, at 1")
    axes.legend(loc="upper center", ncols=2)
    save(figure, "cancellation")


def _slopes(axes: Axes, ladder: Ladder, title: str) -> None:
    for values, label, colour in (
        (ladder.right, "from the right", ORANGE),
        (ladder.central, "central", BLUE),
        (ladder.left, "from the left", GREEN),
    ):
        axes.semilogx(ladder.steps, values, "o-", color=colour, ms=3, lw=1, label=label)
    axes.set(xlabel="step", ylabel="estimate", title=title)


if __name__ == "__main__":
    draw_regimes()
    draw_kink()
    draw_jump()
    draw_cancellation()
