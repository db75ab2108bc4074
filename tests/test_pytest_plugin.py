"""The pytest plugin, as a project that has ops of its own uses it: each run is a process of its own."""

import subprocess
import sys

import pytest

from adverify import InvalidFunction, check_function
from adverify.ops import Square

OPS = """
import numpy as np
from adverify import Function, variable


class Square(Function):
    def forward(self, x):
        return variable(x.data**2)

    def backward(self, x, grad):
        x.grad += 2 * grad * x.data


class Halved(Square):
    def backward(self, x, grad):
        x.grad += grad * x.data


class Single(Square):
    def backward(self, x, grad):
        x.grad += (2 * grad * x.data).astype(np.float32)


class Unsuited(Square):
    def forward(self, x):
        if x.data.shape != (17, 3, 23):
            raise ValueError("expected 17 by 3 by 23")
        return variable(x.data**2)


class Base(Function):
    pass
"""


@pytest.fixture
def project(pytester):
    package = pytester.mkpydir("package")
    (package / "ops.py").write_text(OPS)
    (package / "again.py").write_text("from package.ops import Square\n")
    pytester.makepyprojecttoml(
        """
        [tool.adverify]
        targets = ["package"]
        max_examples = 10
        seed = 0
        [tool.adverify.xfail]
        "Halved::gradient" = "known to be halved"
        "Single" = "computes in single precision"
        [tool.adverify.skip]
        "package.ops:Unsuited" = "takes one shape only"
        [tool.pytest.ini_options]
        testpaths = ["tests"]
        """
    )
    (pytester.mkdir("tests") / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
    return pytester


def run(project, *arguments):
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=120)


def test_every_property_of_every_op_is_an_item(project):
    result = run(project, "--collect-only", "-q")
    lines = [line for line in result.outlines if "::" in line]
    assert {line.split("::")[1] for line in lines if line.startswith("package")} == {
        "Square", "Halved", "Single", "Unsuited",
    }  # fmt: skip
    assert "package/ops.py::Square::special values" in lines
    assert len(lines) == len(set(lines))
    assert "tests/test_nothing.py::test_nothing" in lines


def test_a_right_op_passes_and_exemptions_have_their_reasons(project):
    result = run(project, "-rsx", "-k", "Square or Halved or Unsuited")
    outcomes = result.parseoutcomes()
    assert (outcomes["xfailed"], outcomes.get("failed", 0)) == (1, 0)
    text = result.stdout.str()
    for expected in ("takes one shape only", "not asked, because gradient is violated", "known to be halved",
                     "1 of 2 ops verified, on ", ", as expected\n"):  # fmt: skip
        assert expected in text


@pytest.mark.parametrize("options", [[], ["-n", "2"], ["--tb=long"]], ids=["plain", "xdist", "long"])
def test_a_wrong_op_fails_with_its_report_and_no_frames_of_the_verifier(project, options):
    result = run(project, *options, "--adverify", "package.ops:Halved", "-o", "xfail_strict=false", "-k", "Halved",
                 "--runxfail")  # fmt: skip
    assert result.ret == 1
    text = result.stdout.str()
    assert "Halved: x.grad" in text
    assert "Falsifying example:" in text
    assert "FAILED package/ops.py::Halved::gradient" in text
    assert "search.py" not in text
    assert "as expected" not in text
    assert result.parseoutcomes()["failed"] == 1


def test_an_op_that_cannot_be_verified_fails_once_and_says_what_would_help(project):
    project.makepyprojecttoml('[tool.adverify]\ntargets = ["package.ops:Unsuited"]\n')
    result = run(project)
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == 1
    assert "expected 17 by 3 by 23. Say what does: check_function(Unsuited, signature=" in result.stdout.str()


def test_an_expected_failure_that_holds_fails(project):
    project.makepyprojecttoml(
        """
        [tool.adverify]
        targets = ["package.ops:Square"]
        max_examples = 10
        xfail = {"Square::gradient" = "no longer"}
        """
    )
    result = run(project)
    assert result.parseoutcomes()["failed"] == 1
    assert "[XPASS(strict)] no longer" in result.stdout.str()


def test_of_an_op_that_is_wrong_as_a_whole_some_properties_may_hold(project):
    outcomes = run(project, "--adverify", "package.ops:Single", "-k", "Single").parseoutcomes()
    assert outcomes.get("failed", 0) == 0
    assert outcomes["xfailed"] >= 1
    assert outcomes["xpassed"] >= 1


def test_paths_that_are_asked_for_are_all_that_runs(project):
    assert run(project, "tests").parseoutcomes() == {"passed": 1}
    assert run(project, "package/ops.py::Square::gradient").parseoutcomes() == {"passed": 1}
    assert set(run(project, "-m", "not adverify").parseoutcomes()) == {"passed", "deselected"}


def test_what_failed_last_runs_again_and_junit_names_it(project):
    arguments = ["--adverify", "package.ops", "--runxfail", "-k", "Halved", "--junitxml=out.xml"]
    assert project.runpytest_subprocess(*arguments).ret == 1
    xml = (project.path / "out.xml").read_text()
    assert 'classname="package.ops.Halved" name="gradient"' in xml
    assert project.runpytest_subprocess("--lf", *arguments[:3]).parseoutcomes()["failed"] == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--adverify", "package.nothing"], "there is no module 'package.nothing'"),
        (["--adverify-examples", "0"], "--adverify-examples must be at least 1; got 0"),
    ],
)
def test_what_cannot_be_had_is_an_error_of_usage(project, options, expected):
    result = run(project, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert expected in result.stderr.str()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('target = ["package"]', "has no key 'target'; did you mean 'targets'?"),
        ('targets = "package"', "targets must be a list of strings"),
        ("max_examples = 0", "max_examples must be a whole number, 1 or more; got 0"),
        ("seed = true", "seed must be a whole number, 0 or more; got True"),
        ('skip = ["Square"]', "skip must give a reason for each op"),
        ('profile = "slow"', "profile must be one of fast, default, nightly; got 'slow'"),
        ("time_limit = -1", "time_limit must be a positive number of seconds; got -1"),
    ],
)
def test_a_setting_that_means_nothing_is_named_with_its_file(project, setting, expected):
    project.makepyprojecttoml(f"[tool.adverify]\n{setting}\n")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"pyproject.toml: [tool.adverify] {expected}" in result.stderr.str()


def test_a_module_that_cannot_be_imported_is_an_error_that_names_the_line(project):
    (project.path / "package" / "ops.py").write_text("import adverify\nx = 1 / 0\n")
    result = run(project, "--adverify", "package/ops.py")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "ops.py:2" in result.stdout.str()
    assert "ZeroDivisionError" in result.stdout.str()


def test_users_keep_their_hypothesis_profile_and_packages_may_be_namespaces(project):
    project.makeconftest(
        """
        from hypothesis import settings
        settings.register_profile("mine", max_examples=7)
        settings.load_profile("mine")

        def pytest_sessionfinish():
            assert settings.get_current_profile_name() == "mine" and settings().max_examples == 7
        """
    )
    (project.path / "package" / "__init__.py").unlink()
    result = run(project, "--adverify", "package.ops:Square", "-k", "Square")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] >= 13


def test_a_test_over_the_ops_of_a_module(project):
    project.makepyprojecttoml("")
    project.makepyfile(
        """
        import package.ops
        import pytest
        from adverify import check_function
        from adverify.testing import over_functions

        @pytest.fixture
        def budget():
            return 5

        @over_functions(package.ops)
        def test_gradient(op, budget):
            if op.__name__ != "Unsuited":
                check_function(op, max_examples=budget, seed=0)
        """
    )
    result = run(project, "-rf")
    assert result.parseoutcomes() == {"passed": 3, "failed": 2}
    assert "test_gradient[Halved]" in result.stdout.str()


def test_the_plugin_costs_nothing_where_it_is_not_used():
    code = (
        "import sys, adverify.pytest_plugin;"
        "heavy = {'numpy', 'scipy', 'hypothesis', 'rich', 'typer'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ops_in_folders_without_an_init_are_not_left_out(project):
    (project.path / "package" / "more").mkdir()
    (project.path / "package" / "more" / "late.py").write_text(OPS.replace("Square", "Power"))
    lines = run(project, "--collect-only", "-q", "-k", "Power").outlines
    assert "package/more/late.py::Power::gradient" in lines


def test_a_namespace_package_in_another_may_be_below_src(project):
    (project.path / "src" / "lab" / "grads").mkdir(parents=True)
    (project.path / "src" / "lab" / "grads" / "ops.py").write_text(OPS)
    lines = run(project, "--collect-only", "-q", "--adverify", "lab.grads", "-k", "Square").outlines
    assert "src/lab/grads/ops.py::Square::gradient" in lines


def test_a_package_outside_of_the_project_that_python_finds_by_a_hook_of_its_own(project):
    lines = run(project, "--collect-only", "-q", "--adverify", "adverify.ops.trigonometry:Sin", "-k", "Sin").outlines
    found = [line for line in lines if line.endswith("adverify/ops/trigonometry.py::Sin::gradient")]
    assert len(found) == 1


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (
            'exclude = ["gradeint"]',
            "exclude names a property 'gradeint', which does not exist; did you mean 'gradient'",
        ),
        ('skip = {"Square::x" = "why"}', "skip names a property 'x', which does not exist; there are accumulation, "),
        ('xfail = {"Square::layot" = "why"}', "xfail names a property 'layot', which does not exist; did you mean"),
    ],
)
def test_a_property_that_does_not_exist_is_named_before_anything_runs(project, setting, expected):
    project.makepyprojecttoml(f"[tool.adverify]\n{setting}\n")
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"pyproject.toml: [tool.adverify] {expected}" in result.stderr.str()


def test_a_target_that_is_not_there_is_told_with_who_asks_for_it(project):
    project.makepyprojecttoml('[tool.adverify]\ntargets = ["package.op"]\n')
    assert (
        "did you mean 'package.ops'? (asked for by [tool.adverify] targets = 'package.op')" in run(project).stderr.str()
    )


@pytest.mark.parametrize(
    ("setting", "expected", "options"),
    [
        (
            'skip = {"Sqare" = "why"}',
            "skip names 'Sqare', and no op of `targets` is called 'Sqare'; did you mean 'Square'?",
            [],
        ),
        ('xfail = {"package.op:Single::layout" = "why"}', "did you mean 'package.ops:Single'?", ["-n2"]),
        ('skip = {"Base" = "why"}', "no op of `targets` is called 'Base'; there are Halved, Single, Square, Uns", []),
    ],
)
def test_an_exemption_of_an_op_that_is_not_there_is_an_error(project, setting, expected, options):
    project.makepyprojecttoml(f'[tool.adverify]\ntargets = ["package"]\n{setting}\n')
    result = run(project, *options)
    assert result.ret != 0
    assert result.parseoutcomes()["errors"] == 1
    assert expected in result.stdout.str()


def test_an_exemption_of_an_op_that_is_not_asked_for_is_none(project):
    assert run(project, "--collect-only", "--adverify", "package.ops:Square").ret == 0


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (
            'adverify_skip = {"layot": "why"}',
            "Square.adverify_skip names a property 'layot', which does not exist; did",
        ),
        ("adverify_xfail = True", "Square.adverify_xfail must be a reason, or one for each of some properties, "),
    ],
)
def test_a_hint_that_means_nothing_is_an_error_that_names_it(project, hint, expected):
    path = project.path / "package" / "ops.py"
    path.write_text(OPS.replace("class Square(Function):", f"class Square(Function):\n    {hint}\n"))
    assert expected in run(project, "--collect-only").stdout.str()
    with pytest.raises(InvalidFunction, match="adverify_skip must be a reason"):
        check_function(type("Op", (Square,), {"adverify_skip": {"layout": ""}}))


HINTED = """

class Known(Halved):
    adverify_xfail = {"gradient": "known to be halved"}


class KnownForAnother(Halved):
    adverify_xfail = {"precision": "known to be rough"}


class Mended(Square):
    adverify_xfail = {"gradient": "was wrong"}


class Whole(Halved):
    adverify_xfail = "wrong altogether"


class Rough(Single):
    adverify_skip = {"precision": "works in single precision", "extremes": "which ends at 3e38"}


class Left(Halved):
    adverify_skip = "not yet"
"""


def test_hints_on_the_class_count_for_a_test_over_a_module_and_for_the_plugin(project):
    project.makepyprojecttoml("")
    project.makepyfile(
        ops=OPS + HINTED,
        test_ops="""
        import ops
        from adverify import check_function
        from adverify.testing import over_functions

        @over_functions(ops)
        def test_op(op):
            check_function(op, max_examples=10, seed=0)
        """,
    )
    by_test = run(project, "-rA", "test_ops.py").stdout.str()
    for said in (
        "PASSED test_ops.py::test_op[Square]",
        "PASSED test_ops.py::test_op[Rough]",
        "XFAIL test_ops.py::test_op[Known] - gradient: known to be halved",
        "XFAIL test_ops.py::test_op[Whole] - wrong altogether",
        "FAILED test_ops.py::test_op[KnownForAnother]",
        "FAILED test_ops.py::test_op[Mended]",
        ": not yet",
    ):
        assert said in by_test
    options = ("--adverify", "ops.py", "--adverify-examples=10", "--adverify-seed=0", "-k", "gradient or precision")
    by_plugin = run(project, "-rA", *options).stdout.str()
    for said in (
        "PASSED ops.py::Rough::gradient",
        "XFAIL ops.py::Known::gradient - known to be halved",
        "FAILED ops.py::KnownForAnother::gradient",
        "FAILED ops.py::Mended::gradient",
    ):
        assert said in by_plugin
