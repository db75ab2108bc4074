"""Run the code blocks of Markdown pages, and compare what they print with what the pages show.

``python docs/run_blocks.py PAGE ...`` checks pages; with ``--write`` it puts what is printed now into them.

- A ``python`` block runs in the namespace of its page. If its first line is a comment that names a file,
  ``# ops.py``, it becomes that file and its names are imported.
- A ``console`` block runs the lines that begin with ``$``; what is between them is what they print.
- A ``text`` block right after a ``python`` block is what that prints, or the message of what it raises.
- A ``toml`` block whose first line is a comment that names a file becomes that file; it has to be valid.

``...`` in what is shown stands for anything.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import importlib
import io
import linecache
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from hypothesis import settings

from adverify import search

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
COMMANDS_TIME_OUT = 300
EXAMPLES = 10
UNHURRIED = 60
"""Seconds for which a failure is made smaller, so that a busy machine shows what an idle one does."""
NOWHERE = -1
"""Where a block ends that the page does not have."""

ELSEWHERE = {
    'pip install -e ".[test]" && python -m adverify.demo': (
        ".ci/run",
        ('/pip" install --quiet -e ".[test]"', '/python" -m adverify.demo'),
    ),
    "pytest -n auto": (".ci/run", ('/python" -m pytest -n auto',)),
    "adverify fuzz library.py --time 10m": ("tests/test_cli.py", ('"fuzz"',)),
    "pip install -e . --group bench": ("pyproject.toml", ("bench = [",)),
    "python -m benchmarks.engine": ("tests/test_benchmarks.py", ("benchmarks.engine.agree(",)),
    "python -m benchmarks.verdicts": ("tests/test_benchmarks.py", ("benchmarks.verdicts.ours_finds(",)),
}
"""Commands of pages that take long or need a network, with the file that runs or has the same, and its words."""

settings.register_profile("docs", max_examples=EXAMPLES, derandomize=True, database=None, deadline=None)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `start` and `stop` are the lines between its fences."""

    language: str
    start: int
    stop: int
    text: str

    @property
    def file(self) -> str:
        """The name of the file that it is, if its first line says so."""
        found = re.match(r"# (\S+\.(?:py|toml))\n", self.text)
        return found[1] if found else ""


@dataclass(frozen=True)
class Difference:
    """Where a page shows something else than what happens."""

    start: int
    stop: int
    shown: str
    happens: str

    def __str__(self) -> str:
        return f"line {self.start + 1}: the page shows\n{self.shown}\nbut this happens:\n{self.happens}"


def blocks_of(page: str) -> list[Block]:
    """Find the fenced blocks of a page."""
    found, lines, opened = [], page.splitlines(), None
    for i, line in enumerate(lines):
        if opened is None and re.match(r"```\w+$", line):
            opened = i
        elif opened is not None and line == "```":
            text = "".join(f"{body}\n" for body in lines[opened + 1 : i])
            found.append(Block(lines[opened][3:], opened + 1, i, text))
            opened = None
    return found


def differences(path: Path) -> Iterator[Difference]:
    """Run the blocks of a page in a new directory, and give where what it shows is not what happens."""
    page = path.read_text()
    before = list(sys.path), set(sys.modules), Path.cwd()
    unhurried = mock.patch.object(search, "SHRINK_SECONDS", UNHURRIED)
    with tempfile.TemporaryDirectory() as directory, unhurried:
        os.chdir(directory)
        sys.path.insert(0, directory)
        try:
            yield from _differences(blocks_of(page), page.splitlines(), path, Path(directory))
        finally:
            os.chdir(before[2])
            sys.path[:] = before[0]
            for name in set(sys.modules) - before[1]:
                if name == "ops" or str(getattr(sys.modules[name], "__file__", "")).startswith(directory):
                    del sys.modules[name]


def _differences(blocks: list[Block], lines: list[str], path: Path, directory: Path) -> Iterator[Difference]:
    namespace = sys.modules.setdefault("ops", ModuleType("ops")).__dict__  # as if it were the reader's module
    for i, block in enumerate(blocks):
        following = blocks[i + 1] if i + 1 < len(blocks) else None
        if block.file:
            (directory / block.file).write_text(block.text)
        if block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "python":
            printed = _run(block, path, namespace).replace(f"{directory}/", "")
            adjacent = following is not None and not "".join(lines[block.stop + 1 : following.start - 1]).strip()
            if following is not None and following.language == "text" and adjacent:
                yield from _compared(following.start, following.stop, following.text, printed)
            elif printed:
                yield Difference(block.start, NOWHERE, "", printed)
        elif block.language == "console":
            for command, start, stop in _commands(block):
                if command not in ELSEWHERE:
                    code, printed = _executed(command, directory)
                    shown = "".join(f"{line}\n" for line in lines[start:stop])
                    if code and not shown:
                        yield Difference(start, NOWHERE, "", f"{printed}exit code {code}\n")
                    elif shown:
                        yield from _compared(start, stop, shown, printed.replace(f"{directory}/", ""))


def _run(block: Block, path: Path, namespace: dict[str, Any]) -> str:
    """Give what a block of Python prints, or the message of what it raises."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if block.text.startswith(">>>"):
                return _doctested(block, path, namespace)
            if block.file:
                module = importlib.import_module(block.file.removesuffix(".py"))
                namespace |= {k: v for k, v in vars(module).items() if not k.startswith("__")}
            else:
                name = f"{path.name}:{block.start}"
                linecache.cache[name] = (len(block.text), None, block.text.splitlines(keepends=True), name)
                exec(compile(block.text, name, "exec"), namespace)
    except Exception as error:
        message = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
        return printed.getvalue() + message
    return printed.getvalue()


def _doctested(block: Block, path: Path, namespace: dict[str, Any]) -> str:
    failed: list[str] = []
    test = doctest.DocTestParser().get_doctest(block.text, namespace, path.name, path.name, block.start)
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=failed.append, clear_globs=False)
    namespace |= test.globs
    return "".join(failed)


def _commands(block: Block) -> Iterator[tuple[str, int, int]]:
    """Give the commands of a block, each with the lines of the page that show what it prints."""
    lines = block.text.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("$ ")] or list(range(len(lines)))
    for i, end in zip(at, [*at[1:], len(lines)], strict=True):
        yield lines[i].removeprefix("$ "), block.start + i + 1, block.start + end


def _executed(command: str, directory: Path) -> tuple[int, str]:
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": search, "COLUMNS": "100", "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, shell=True, cwd=directory, env=environment, text=True, timeout=COMMANDS_TIME_OUT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def _compared(start: int, stop: int, shown: str, happens: str) -> Iterator[Difference]:
    happens = "".join(f"{line.rstrip()}\n" for line in happens.splitlines())
    if not doctest.OutputChecker().check_output(shown, happens, OPTIONS):
        yield Difference(start, stop, shown, happens)


def main() -> int:
    """Check pages, or write what happens into them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put what is printed now into the pages")
    given = parser.parse_args()
    settings.load_profile("docs")
    found = {path: list(differences(path.resolve())) for path in given.pages}
    for path, differing in found.items():
        lines = path.read_text().splitlines()
        for difference in reversed(differing):
            print(f"{path}, {difference}")
            if given.write and difference.stop != NOWHERE:
                lines[difference.start : difference.stop] = difference.happens.splitlines()
        if given.write:
            path.write_text("\n".join(lines) + "\n")
    return int(any(found.values()) and not given.write)


if __name__ == "__main__":
    sys.exit(main())
