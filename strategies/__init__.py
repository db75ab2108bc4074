"""Hypothesis strategies for shapes, values and cases; imported as `adverify.strategies`."""

from adverify.strategies.cases import arrays, cases, degenerate_cases
from adverify.strategies.values import Regime

__all__ = ["Regime", "arrays", "cases", "degenerate_cases"]
