"""Ops as pytest items, one for each op and property: ``package/ops.py::MyOp::gradient``.

What is named by ``--adverify``, by `adverify_targets` in the ini-file, or by ``[tool.adverify] targets`` is collected.
Nothing but pytest is imported until there is something to collect: the plugin is loaded in every project that has
adverify installed.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from importlib.machinery import PathFinder
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from adverify.config import Config
    from adverify.report import Report, VerificationError
    from adverify.targets import Target


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be said on the command line and in the ini-file."""
    group = parser.getgroup("adverify", "verification of hand-written gradients")
    group.addoption("--adverify", action="append", default=[], metavar="TARGET", dest="adverify_targets",
                    help="check the ops of a module, package or file, or one, 'package.ops:MyOp'")  # fmt: skip
    group.addoption("--adverify-examples", type=int, metavar="N", help="how many examples are drawn for an op")
    group.addoption("--adverify-profile", choices=("fast", "default", "nightly"), help="30, 100 or 1000 examples an op")
    group.addoption("--adverify-seed", type=int, metavar="SEED", help="make the run repeatable")
    parser.addini("adverify_targets", "the ops to check: modules, packages, files, or classes in them", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Take part in a run if there is anything to check."""
    config.addinivalue_line("markers", "adverify: a property of an op, checked by adverify.")
    if _is_configured(config):
        config.pluginmanager.register(Session(config), "adverify-session")


def _is_configured(config: pytest.Config) -> bool:
    if config.getoption("adverify_targets") or config.getini("adverify_targets"):
        return True
    pyproject = config.rootpath / "pyproject.toml"
    return pyproject.is_file() and "[tool.adverify" in pyproject.read_text("utf-8", errors="replace")


class Session:
    """One run of pytest in a project that has targets."""

    def __init__(self, config: pytest.Config) -> None:
        from adverify.config import ConfigError, read
        from adverify.targets import TargetError, parse

        self.pytest = config
        try:
            self.config = _as_asked(read(config.rootpath), config)
            texts = config.getoption("adverify_targets") or config.getini("adverify_targets") or self.config.targets
            self.targets = {parse(text, config.invocation_params.dir, config.rootpath): text for text in texts}
        except (ConfigError, TargetError) as error:
            raise pytest.UsageError(str(error)) from error
        self.files = {target: tuple(_files(target)) for target in self.targets}
        self.summaries: dict[str, dict[str, Any]] = {}
        self.expected: set[str] = set()
        self.collected: set[Path] = set()
        self.names: set[str] = set()
        for target, text in self.targets.items():
            if not self.files[target]:
                raise pytest.UsageError(f"adverify: {_absent(target)} (asked for by {self._asked_by()} {text!r})")
        if config.getoption("adverify_targets") or config.args_source is not pytest.Config.ArgsSource.ARGS:
            self._ask_for_files()

    def _asked_by(self) -> str:
        if self.pytest.getoption("adverify_targets"):
            return "--adverify"
        return "adverify_targets =" if self.pytest.getini("adverify_targets") else "[tool.adverify] targets ="

    def _ask_for_files(self) -> None:
        """Add to what pytest collects the files of targets that are not below it."""
        config = self.pytest
        below = [(config.invocation_params.dir / arg.split("::")[0]).resolve() for arg in config.args]
        for file in dict.fromkeys(f for files in self.files.values() for f in files):
            if not any(file.is_relative_to(place) for place in below):
                config.args.append(str(file))

    def unmatched(self) -> list[str]:
        """Say what the project says of ops that it does not have, once all of them are known."""
        from adverify.exemptions import unmatched

        all_files = {f for files in self.files.values() for f in files}
        if self.pytest.getoption("adverify_targets") or all_files - self.collected:
            return []
        return [f"{self.pytest.rootpath / 'pyproject.toml'}: {u}" for u in unmatched(self.config, self.names)]

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        wanted = [target for target, files in self.files.items() if file_path.resolve() in files]
        if not wanted:
            return None
        nodeid = Path(os.path.relpath(file_path, self.pytest.rootpath)).as_posix()  # else empty, outside of the root
        found = OpFile.from_parent(parent, path=file_path, nodeid=nodeid)
        found.session_, found.targets = self, wanted
        return found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found: dict[str, Any] = dict(report.user_properties)
        if summary := found.get("adverify"):
            self.summaries[summary["op"]] = summary
            if hasattr(report, "wasxfail") and report.skipped:
                self.expected.add(f"{summary['op']}::{report.nodeid.rpartition('::')[2]}")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        found = list(self.summaries.values())
        if not found:
            return
        terminalreporter.section("adverify")
        cases, undecided = (sum(s[name] for s in found) for name in ("cases", "undecided"))
        verified = sum(s["ok"] for s in found)
        terminalreporter.line(f"{verified} of {len(found)} ops verified, on {cases} cases; {undecided} undecided")
        for summary in found:
            if not summary["ok"]:
                is_expected = bool(summary["violated"]) and self.expected.issuperset(summary["violated"])
                terminalreporter.line(f"{summary['headline']}{', as expected' * is_expected}", red=not is_expected)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep the properties of an op together: they are answered by one check of it."""
        if config.getoption("dist") != "load":
            return None
        from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

        from adverify.properties import all_properties

        names = {p.name for p in all_properties()}

        class OpScheduling(LoadScopeScheduling):  # type: ignore[misc]
            def _split_scope(self, nodeid: str) -> str:
                op, _, name = nodeid.rpartition("::")
                return op if name in names else nodeid

        return OpScheduling(config, log)


def _as_asked(config: Config, options: pytest.Config) -> Config:
    """Let options of the command line win."""
    asked = {"max_examples": "adverify_examples", "profile": "adverify_profile", "seed": "adverify_seed"}
    given = {name: options.getoption(option) for name, option in asked.items()}
    if given["profile"] is not None:
        config = dataclasses.replace(config, max_examples=None)
    if given["max_examples"] is not None and given["max_examples"] < 1:
        raise pytest.UsageError(f"--adverify-examples must be at least 1; got {given['max_examples']}")
    return dataclasses.replace(config, **{name: value for name, value in given.items() if value is not None})


def _files(target: Target) -> Iterator[Path]:
    """Give the files of a module, or of all modules of a package, without importing any."""
    import sys

    if target.file:
        places, own = list[str](), Path(target.file)
    else:
        places = [*target.path, *sys.path]
        own = None
        for name in accumulate(target.module.split("."), "{}.{}".format):
            spec = PathFinder.find_spec(name.rpartition(".")[2], places)  # the whole name wants its parent imported
            finders: list[Any] = [] if spec else sys.meta_path  # these know packages that are installed as editable
            spec = next((s for finder in finders if (s := finder.find_spec(name, places))), spec)
            if spec is None:
                return
            places = list(spec.submodule_search_locations or [])
            own = Path(spec.origin) if spec.origin else None
    if own is not None and own.name != "__init__.py":
        yield own.resolve()
        return
    for place in places or ([str(own.parent)] if own else []):
        yield from (f.resolve() for f in sorted(Path(place).rglob("*.py")) if f.name != "__main__.py")


def _absent(target: Target) -> str:
    """Say that there is no such module, and what there is in its place."""
    import difflib
    import pkgutil
    from dataclasses import replace

    parent, _, name = target.module.rpartition(".")
    above = [str(f.parent) for f in _files(replace(target, module=parent))][:1] if parent else [*target.path]
    near = difflib.get_close_matches(name, [m.name for m in pkgutil.iter_modules(above)], n=1)
    hint = f"did you mean {'.'.join(filter(None, (parent, *near)))!r}?" if near else "is it installed?"
    return f"there is no module {target.module!r}; {hint}"


class OpFile(pytest.File):
    """A file in which ops are defined."""

    session_: Session
    targets: list[Target]

    def collect(self) -> Iterator[pytest.Collector]:
        from adverify.exemptions import names_of
        from adverify.targets import TargetError, ops_of

        try:
            ops = dict.fromkeys(op for target in self.targets for op in ops_of(target))
        except TargetError as error:
            raise self.CollectError(str(error)) from error
        for op in ops:
            collected = Op.from_parent(self, name=op.name)
            collected.op, collected.config_ = self._load(op), self.session_.config
            self.session_.names.update(names_of(collected.op))
            if collected.file == self.path.resolve():
                yield collected
        self.session_.collected.add(self.path.resolve())
        if problems := self.session_.unmatched():
            raise self.CollectError("\n".join(problems))  # of the run; an error of usage would be one inside of xdist

    @staticmethod
    def _load(op: Target) -> Any:
        from adverify.targets import load

        return load(op)


class Op(pytest.Collector):
    """An op, checked once for all of its items."""

    op: Any
    config_: Config

    @property
    def kind(self) -> type:
        """The class of the op."""
        return self.op if isinstance(self.op, type) else type(self.op)

    @property
    def file(self) -> Path:
        """Where it is defined."""
        import inspect

        return Path(inspect.getsourcefile(self.kind) or self.path).resolve()

    def collect(self) -> Iterator[pytest.Item]:
        from adverify.exemptions import exemption
        from adverify.properties import all_properties

        for p in sorted(all_properties(), key=lambda p: (p.name != "gradient", p.name)):
            if p.name in self.config_.exclude:
                continue
            item = PropertyItem.from_parent(self, name=p.name)
            item.add_marker(pytest.mark.adverify)
            if reason := exemption("skip", self.op, p.name, self.config_):
                item.add_marker(pytest.mark.skip(reason=reason))
            if reason := exemption("xfail", self.op, p.name, self.config_):
                # Of an op that is wrong as a whole, some properties hold.
                whole = exemption("xfail", self.op, "", self.config_) is not None
                item.add_marker(pytest.mark.xfail(reason=reason, strict=not whole))
            yield item

    @cached_property
    def answer(self) -> tuple[Report, VerificationError | None]:
        """The report on the op, and what was raised because of it."""
        from adverify.check import check_function
        from adverify.exemptions import exemption
        from adverify.properties import all_properties
        from adverify.report import VerificationError

        skipped = {p.name for p in all_properties() if exemption("skip", self.op, p.name, self.config_)}
        try:
            report = check_function(
                self.op, exclude={*self.config_.exclude, *skipped}, max_examples=self.config_.examples,
                seed=self.config_.seed, time_limit=self.config_.time_limit,
            )  # fmt: skip
        except VerificationError as error:
            return error.report, error
        return report, None


class PropertyItem(pytest.Item):
    """One property of one op."""

    parent: Op

    def runtest(self) -> None:
        report, error = self.parent.answer
        self.user_properties.append(("adverify", _summary(self.parent.nodeid, report)))
        failure = next((f for f in report.failures if f.property == self.name), None)
        if failure is not None:
            raise PropertyViolated(
                f"{report.name}: {failure.verdict.reason}\n\n{failure}\n\ndefined at {report.location}"
            )
        if error is not None and not report.failures:
            if self is self._bearer():
                raise error
            self._skip(f"not asked: {report.name} could not be verified")
        counted = report.verdicts.get(self.name, Counter())
        if counted["holds"]:
            return
        if counted["undecided"]:
            self._skip(f"could not be decided for any of {counted['undecided']} cases")
        if violated := _needed(self.name) & {f.property for f in report.failures}:
            self._skip(f"not asked, because {', '.join(sorted(violated))} is violated")
        self._skip("does not apply: no case asks for it")

    @staticmethod
    def _skip(reason: str) -> NoReturn:
        raise pytest.skip.Exception(reason, _use_item_location=True)  # of the op, not of this line

    def _bearer(self) -> PropertyItem:
        """The item that says that the op as a whole could not be verified."""
        items = [i for i in self.session.items if isinstance(i, PropertyItem) and i.parent is self.parent]
        return next((i for i in items if not i.get_closest_marker("skip")), self)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the report; of anything else, which is a fault of adverify's own, the traceback."""
        from adverify.report import VerificationError

        if isinstance(excinfo.value, PropertyViolated | VerificationError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        import inspect

        try:
            line = (
                inspect.getsourcelines(self.parent.op if isinstance(self.parent.op, type) else type(self.parent.op))[1]
                - 1
            )
        except (OSError, TypeError):
            line = None
        return self.path, line, f"{self.parent.name}::{self.name}"


class PropertyViolated(AssertionError):
    """A property of an op does not hold; the message is the report."""


def _needed(name: str) -> set[str]:
    """Name the properties without which one means nothing, and those that these need."""
    from adverify.properties import all_properties, dependents

    return {p.name for p in all_properties() if p.name != name and name in dependents(p.name)}


def _summary(op: str, report: Report) -> dict[str, Any]:
    return {
        "op": op,
        "ok": report.ok,
        "cases": report.cases,
        "undecided": report.undecided,
        "headline": report.headline,
        "violated": [f"{op}::{f.property}" for f in report.failures],
    }
