"""A document of reports holds what was found, whatever that is, and comes back as it was."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from adverify import Report, check_function, record
from adverify.ops import Exp, Sum
from adverify.subject import subject_of
from tests import failures

reference = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "make_json_reference.py"))


@pytest.fixture(scope="module")
def validator():
    jsonschema = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator(json.loads(reference["SCHEMA"].read_text()))


def strict(text):
    """Read JSON as other languages do: without NaN and Infinity."""

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text.encode("utf-8"), parse_constant=refuse)


@pytest.mark.parametrize("name", failures.ALL)
def test_every_report_survives_and_keeps_to_the_schema(name, validator):
    document = record.to_document([failures.ALL[name]()])
    text = record.dumps(document)
    assert record.loads(text) == document
    validator.validate(strict(text))
    assert len(text) < 3_000_000


def test_the_schema_refuses_what_is_not_a_report(validator):
    document = record.to_document([failures.verified()])
    del document["reports"][0]["cases"]
    assert not validator.is_valid(document)


def test_the_schema_and_its_reference_are_up_to_date():
    hint = "run python docs/make_json_reference.py"
    assert reference["SCHEMA"].read_text() == reference["json_schema"](), hint
    assert reference["PAGE"].read_text() == reference["page"](), hint


@given(npst.arrays(st.sampled_from([np.float64, np.float32, np.float16]), npst.array_shapes(min_dims=0, min_side=0)))
def test_every_bit_of_an_array_survives(array):
    written = record.array(array)
    read = record.array_of(json.loads(json.dumps(written, allow_nan=False)))
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    nan = np.isnan(array) if array.dtype != np.float64 else np.zeros(array.shape, bool)
    assert read[~nan].tobytes() == array[~nan].tobytes()
    assert np.isnan(read[nan]).all()


@given(st.integers(0, 2**64 - 1))
def test_every_bit_of_a_double_survives_in_the_text_itself(bits):
    value = np.array([bits], np.uint64).view(np.float64)
    report = failures.made(failures.Identity, inputs=[value])
    read = record.loads(record.dumps(record.to_document([report])))
    (again,) = (record.array_of(a) for a in read["reports"][0]["failures"][0]["case"]["inputs"])
    assert again.tobytes() == value.tobytes()


def test_of_a_large_array_the_part_around_the_wrong_element_is_kept():
    (written,) = record.record_of(failures.huge())["failures"][0]["evidence"]
    assert written["count"] == 3
    (rows, columns) = written["actual"]["window"]
    assert rows[0] <= 700 < rows[1]
    assert columns[0] <= 900 < columns[1]
    part = record.array_of(written["actual"])
    assert part.size <= record.MOST_SHOWN
    assert np.isnan(part[700 - rows[0], 900 - columns[0]])
    assert written["actual"]["shape"] == [1000, 1000]


def test_a_case_can_be_asked_again():
    written = record.record_of(failures.wrong_number())["failures"][0]
    arrays = [record.array_of(a) for a in written["case"]["inputs"]]
    again = failures.found(
        failures.TensorDotProduct, *arrays, property=written["property"], seed=written["case"]["seed"]
    )
    assert again.failures[0].verdict.reason == written["reason"]


def test_constructor_arguments_are_literals():
    subject = subject_of(Sum, {"axis": (0, 1), "keepdims": True})
    written = record.record_of(failures.made(subject, inputs=[np.ones((1, 2))]))["failures"][0]["case"]
    assert written["arguments"] == {"axis": "(0, 1)", "keepdims": "True"}


def test_where_an_exception_came_from_is_the_users_own_line():
    raised = record.record_of(failures.raised())["failures"][0]["exception"]
    assert (raised["type"], raised["message"]) == ("ValueError", "plain")
    assert raised["location"]["file"] == failures.__file__
    assert raised["code"] == "raise self.error"


def test_the_line_of_a_library_is_not_the_users_own():
    class Solves(failures.Raises):
        def backward(self, x, grad):
            x.grad += np.linalg.solve(np.zeros((2, 2)), grad)

    raised = record.record_of(failures.found(Solves, [1.0, 2.0]))["failures"][0]["exception"]
    assert raised["type"] == "LinAlgError"
    assert raised["location"]["file"] == __file__


def test_coverage_counts_shapes_and_decades():
    report = Report("Op")
    report.coverage.add((np.array([0.0, 1.0, -9.9, 10.0, 0.02]), np.array(np.inf)))
    report.coverage.add((np.array([1.0] * 5), np.array(np.nan)))
    report.coverage.add((np.full((20, 20), 1e-300),))
    coverage = record.record_of(report)["coverage"]
    assert coverage["shapes"] == [{"shapes": [[5], []], "count": 2}, {"shapes": [[20, 20]], "count": 1}]
    assert coverage["magnitudes"] == [
        {"decade": -300, "count": 400},
        {"decade": -2, "count": 1},
        {"decade": 0, "count": 7},
        {"decade": 1, "count": 1},
    ]
    assert (coverage["zeros"], coverage["not_finite"]) == (1, 2)


def test_a_check_says_what_it_covered():
    report = check_function(Exp, max_examples=5, seed=0)
    assert sum(report.coverage.shapes.values()) == report.cases + report.undecided
    assert sum(report.coverage.magnitudes.values()) > report.cases


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[NaN]", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        ("[]", "other JSON"),
        ('{"reports": []}', "other JSON"),
        ('{"format": "adverify-reports"}', "version None"),
        ('{"format": "adverify-reports", "version": 99}', "version 99"),
        ('{"format": "adverify-reports", "version": 1}', "damaged: Object missing required field"),
    ],
)
def test_what_is_no_document_is_refused_with_the_reason(text, words):
    with pytest.raises(record.Unreadable, match=words):
        record.loads(text)


def test_a_damaged_document_is_refused_with_the_place():
    document = record.to_document([failures.verified()])
    document["reports"][0]["cases"] = "many"
    with pytest.raises(record.Unreadable, match=r"Expected `int`, got `str` - at `\$\.reports\[0\]\.cases`"):
        record.loads(json.dumps(document))


def test_fields_of_a_later_adverify_are_ignored():
    document = record.to_document([])
    assert record.loads(json.dumps(document | {"news": 1})) == document
