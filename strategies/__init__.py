"""Hypothesis strategies for shapes, values and cases; imported as `adverify.strategies`."""

from adverify.strategies.cases import arrays, cases, sweeps
from adverify.strategies.expressions import expressions
from adverify.strategies.values import Regime

__all__ = ["Regime", "arrays", "cases", "expressions", "sweeps"]
