"""What a JSON document of reports holds: the types, from which the schema, its validation and its reference are made.

A number is written as a JSON number, or as a string where JSON has none: ``"nan"``, ``"inf"``, ``"-inf"``, and
``"nan:7ff8000000000001"`` for a NaN with other bits than usual. JSON keeps every bit of the others, -0.0 included.
Text is valid Unicode; a very long one is cut, with … where it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypedDict

import msgspec
from msgspec import Meta

FORMAT: Final = "adverify-reports"
VERSION: Final = 1

Number = float | Annotated[str, Meta(pattern=r"^(nan(:[0-9a-f]{16})?|-?inf)$")]
Count = Annotated[int, Meta(ge=0)]


class Place(TypedDict):
    """A line of a source file."""

    file: str
    line: Count


class Array(TypedDict):
    """An array, or the part of a large one that is written."""

    dtype: Annotated[str, Meta(description="As NumPy writes it, such as `float64`.")]
    shape: list[Count]
    values: Annotated[
        list[bool | int | float | str],
        Meta(description="In C order: numbers; for a dtype that JSON cannot write, each as Python writes it."),
    ]
    window: Annotated[
        list[tuple[int, int]] | None,
        Meta(description="Start and stop along each axis of the part that is written; null if it is all of it."),
    ]


class NamedArray(Array):
    """An array with its name."""

    name: str


class Call(TypedDict):
    """The inputs of another call to the same instance."""

    inputs: list[NamedArray]
    seed: int


class Case(TypedDict):
    """The falsifying example, as simple as it could be made."""

    op: Annotated[str, Meta(description="As a person writes it, such as `Sum(axis=0)`.")]
    arguments: Annotated[
        dict[str, str], Meta(description="Constructor arguments, as Python writes them: literals, where they can be.")
    ]
    inputs: list[NamedArray]
    cotangents: Annotated[list[Array], Meta(description="Of each output; empty if forward does not say how many.")]
    seed: Annotated[int, Meta(description="Of the cotangent, and of whatever else the property draws.")]
    partner: Annotated[Call | None, Meta(description="Another call, for what one call may do to another.")]
    relative: Annotated[
        dict[str, str] | None,
        Meta(description="Constructor arguments of another instance, for what one instance may do to another."),
    ]
    python: Annotated[str, Meta(description="Runs once the op's class is imported; empty if it would be too long.")]


class Evidence(TypedDict):
    """What was found beside what should have been. Of a large array, the part around the first wrong element."""

    what: Annotated[str, Meta(description="Names the array, such as `x.grad`.")]
    expected: Annotated[Array, Meta(description="NaN where it is not known.")]
    actual: Array
    error: Annotated[Array, Meta(description="The error bar of `expected`.")]
    wrong: Annotated[Array, Meta(description="Which elements disagree.")]
    count: Annotated[Count, Meta(description="How many elements disagree, of the whole array.")]


class Raised(TypedDict):
    """What the op raised, if that is the violation."""

    type: str
    message: str
    location: Annotated[Place | None, Meta(description="The last line of the user's own code.")]
    code: Annotated[str, Meta(description="That line.")]


class Diagnosis(TypedDict):
    """What kind of mistake explains a failure, verified on its numbers."""

    kind: Annotated[str, Meta(description="Stable, for machines: `sign`, `factor`, ...")]
    text: Annotated[str, Meta(description="A sentence for people.")]


class Jacobian(TypedDict):
    """How an output moves with an input: as backward claims, and as forward does. Of large ones, a part."""

    input: str
    output: str
    rows: Annotated[
        tuple[int, int],
        Meta(description="Elements of the flattened output: the first, and the one after the last."),
    ]
    columns: Annotated[tuple[int, int], Meta(description="Elements of the flattened input, likewise.")]
    size: Annotated[tuple[int, int], Meta(description="How many elements the output and the input have.")]
    analytic: Annotated[Array | None, Meta(description="Null if backward raised, or left another shape.")]
    numerical: Annotated[Array, Meta(description="NaN where no derivative was found.")]
    error: Annotated[Array, Meta(description="The error bar of `numerical`; infinite where none was found.")]


class Window(TypedDict):
    """phi at points evenly spread over a stretch of the line."""

    t: list[Number]
    phi: list[Number]


class Slope(TypedDict):
    """phi(t) = <g, f(x + t u) - f(x)> along the direction u in which backward is most wrong; t is how far it moves."""

    direction: Annotated[str, Meta(description="What moves, such as `x[0, 1]`.")]
    analytic: Annotated[Number, Meta(description="phi'(0) as backward claims.")]
    low: Annotated[Number, Meta(description="The least that would be right; NaN if nothing is known.")]
    high: Annotated[Number, Meta(description="The most that would be right: as `low`, where forward is smooth.")]
    error: Annotated[Number, Meta(description="The error bar of both.")]
    windows: Annotated[list[Window], Meta(description="From far to near.")]
    steps: Annotated[list[Number], Meta(description="The steps of the slopes that follow, long to short.")]
    left: Annotated[list[Number], Meta(description="phi'(0) from the left, as SciPy finds it with these steps.")]
    right: Annotated[list[Number], Meta(description="phi'(0) from the right.")]


class Anatomy(TypedDict):
    """What a wrong gradient looks like from near, measured when the document was made."""

    jacobians: list[Jacobian]
    slope: Slope | None
    note: Annotated[str, Meta(description="Why something is missing; empty if nothing is.")]


class Failure(TypedDict):
    """A violated property with its shrunk case."""

    property: str
    rule: str
    reason: str
    diagnoses: list[Diagnosis]
    case: Case
    evidence: list[Evidence]
    exception: Raised | None
    anatomy: Anatomy | None
    diagram: Annotated[str, Meta(description="A drawing of the expression, as SVG; empty if there is none.")]


class ShapeCount(TypedDict):
    """How often inputs of these shapes were judged."""

    shapes: list[list[Count]]
    count: Count


class Decade(TypedDict):
    """How many input elements had a magnitude from 10**decade up to ten times that."""

    decade: int
    count: Count


class Coverage(TypedDict):
    """What the inputs were at which gradients were judged."""

    shapes: Annotated[list[ShapeCount], Meta(description="The most frequent first.")]
    other_shapes: Annotated[Count, Meta(description="How many cases had shapes that are not listed.")]
    magnitudes: Annotated[list[Decade], Meta(description="In ascending order.")]
    zeros: Count
    not_finite: Count


class Verdicts(TypedDict):
    """How often a property held, was undecided or violated."""

    holds: Count
    undecided: Count
    violated: Count


class Report(TypedDict):
    """All verdicts on one op."""

    name: str
    target: Annotated[str, Meta(description="How to import it, `package.module:Class`.")]
    location: Place | None
    status: Annotated[
        Literal["verified", "violated", "undecided", "crashed"],
        Meta(
            description="`undecided` claims nothing about the gradient, `crashed` is that the op ended its process; "
            "`obstacle` says why."
        ),
    ]
    headline: Annotated[str, Meta(description="One line for people.")]
    inferred: Annotated[list[str], Meta(description="What inputs were found to suit it.")]
    cases: Annotated[Count, Meta(description="How many gradients were decided.")]
    undecided: Annotated[Count, Meta(description="How many could not be.")]
    reasons: Annotated[dict[str, Count], Meta(description="Why, with how often.")]
    verdicts: Annotated[dict[str, Verdicts], Meta(description="Per property.")]
    coverage: Coverage
    failures: Annotated[list[Failure], Meta(description="The most telling first.")]
    resolution: Annotated[Number, Meta(description="The typical relative error bar of what was decided.")]
    obstacle: Annotated[str, Meta(description="Why it is not verified, where that is not a failure.")]
    seconds: Number


class Document(TypedDict):
    """One or many reports."""

    format: Annotated[Literal["adverify-reports"], Meta(description="What this document is.")]
    version: Annotated[
        Literal[1],
        Meta(description="Of this schema. Readers ignore fields that they do not know; others need a new one."),
    ]
    created: Annotated[str, Meta(description="When, in UTC, as ISO 8601.")]
    versions: Annotated[dict[str, str], Meta(description="Of Python, adverify and what it measures with.")]
    settings: Annotated[dict[str, Any], Meta(description="With what the run was made, if that was said.")]
    reports: list[Report]


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a document; the package holds it as ``report.schema.json``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": FORMAT, **msgspec.json.schema(Document)}
