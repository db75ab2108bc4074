"""What is said of a graph: a verdict, and who is guilty if it is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from adverify.expression import Apply, Expression
from adverify.verdict import Evidence, Status, Verdict


@dataclass(frozen=True, eq=False)
class Blame:
    """Who is guilty.

    Attributes
    ----------
    kind : str
        ``"op"``: a node's own VJP is wrong. ``"use"``: an op is right alone, and wrong where it is used more than
        once. ``"engine"``: every op is right, and what the engine makes of them is not.
    node : int
        Where it shows.
    text : str
        A sentence that names it.
    evidence : tuple of Evidence
    exception : BaseException, optional
    """

    kind: str
    node: int
    text: str
    evidence: tuple[Evidence, ...] = ()
    exception: BaseException | None = None

    def guilty(self, e: Expression) -> str:
        """The op that is to blame, or the engine."""
        n = e.nodes[self.node]
        return n.subject.kind.__name__ if self.kind != "engine" and isinstance(n, Apply) else "the engine"


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict on an expression, with the blame if it is violated.

    Attributes
    ----------
    verdict : Verdict
    blame : Blame, optional
    nodes : int
        How many nodes' own VJPs were decided.
    expression : Expression, optional
        The graph that shows what is wrong, to which the blame refers.
    """

    verdict: Verdict
    blame: Blame | None = None
    nodes: int = 0
    expression: Expression | None = None

    @property
    def guilty(self) -> str:
        """The name of the op that is to blame, or "the engine"; empty if nothing is."""
        return self.blame.guilty(self.expression) if self.blame and self.expression else ""


def accused(blame: Blame, e: Expression) -> Judgement:
    """Make a judgement of a blame."""
    verdict = Verdict(Status.VIOLATED, blame.text, blame.evidence, exception=blame.exception)
    return Judgement(verdict, blame, expression=e)
