"""Digits that are lost, and dtypes."""

from __future__ import annotations

from adverify.diagnosis.base import Fault
from adverify.report import Failure


class WrongType(Fault):
    """A gradient of another dtype."""

    kind = "dtype"
    properties = ("shape",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason if " dtype " in failure.verdict.reason else ""


class Precision(Fault):
    """Digits lost to float32."""

    kind = "precision"
    properties = ("precision",)

    def explain(self, failure: Failure) -> str:
        return failure.verdict.reason
