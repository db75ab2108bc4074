"""What a person types to say which ops are meant: a module, a package, a file, or one class in any of them."""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from adverify.discovery import functions_in
from adverify.engine import Function
from adverify.exemptions import hints
from adverify.subject import MalformedOp


class TargetError(Exception):
    """What was asked for cannot be had; the message says why, and what to do."""


@dataclass(frozen=True)
class Target:
    """A module as Python finds it, or one op in it.

    Attributes
    ----------
    module : str
        The name under which it is imported.
    name : str
        What is meant in the module, ``"Class"`` or ``"Outer.Inner"``; empty for all ops in it and below it.
    path : tuple of str
        What must be on `sys.path`, the first first.
    file : str
        The file that was asked for, if it was one.
    """

    module: str
    name: str = ""
    path: tuple[str, ...] = ()
    file: str = ""

    def __str__(self) -> str:
        return f"{self._readable_file() or self.module}{':' * bool(self.name)}{self.name}"

    def _readable_file(self) -> str:
        with contextlib.suppress(ValueError):
            return str(Path(self.file).relative_to(Path.cwd())) if self.file else ""
        return self.file


def parse(text: str, *roots: Path) -> Target:
    """Read ``module``, ``package``, ``module:Class``, ``path/to/ops.py`` or ``path/to/ops.py:Class``; import nothing.

    Parameters
    ----------
    text : str
    *roots : Path
        Where modules are looked for before Python's own places. Paths are relative to the first.

    Raises
    ------
    TargetError
        If there is no such file, or nothing of that name could be imported.
    """
    place, name = _split(text)
    search = tuple(str(p) for root in dict.fromkeys(roots) for p in (root, root / "src") if p.is_dir())
    if place.endswith(".py") or "/" in place or "\\" in place or place in (".", ".."):
        return _in_file(roots[0] / place, name, search)
    if not all(part.isidentifier() for part in place.split(".")):
        raise TargetError(f"{text!r} is no target: expected a module such as 'package.ops', a file such as "
                          "'path/to/ops.py', or one class in it, 'package.ops:MyOp'")  # fmt: skip
    for directory in search:
        _refuse_shadowing(Path(directory, f"{place.split('.')[0]}.py"))
    return Target(place, name, search)


def _split(text: str) -> tuple[str, str]:
    """Part ``place:Class``; the colon of ``C:\\ops.py`` parts nothing."""
    place, colon, name = text.rpartition(":")
    named = colon and all(part.isidentifier() for part in name.split("."))
    return (place, name) if named else (text, "")


def _in_file(path: Path, name: str, search: tuple[str, ...]) -> Target:
    path = Path(os.path.abspath(path))
    if path.is_dir():
        return _in_directory(path, name, search)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")])
        hint = f"; there is {', '.join(near)}" if near else ""
        raise TargetError(f"there is no file {path}{hint}")
    if path.suffix != ".py":
        raise TargetError(f"{path} is no Python file")
    root, module = _module_of(path, search)
    if "." not in module:
        _refuse_shadowing(path)
    return Target(module, name, tuple(dict.fromkeys((str(root), *search))), str(path))


def _in_directory(path: Path, name: str, search: tuple[str, ...]) -> Target:
    if (path / "__init__.py").is_file():
        return _in_file(path / "__init__.py", name, search)
    files = sorted(path.glob("*.py"))
    inside = f"name a file in it, such as {os.path.relpath(files[0])}" if files else "there is no Python file in it"
    raise TargetError(f"{path} is a directory, and no package (it has no __init__.py): {inside}")


def _module_of(path: Path, search: tuple[str, ...]) -> tuple[Path, str]:
    """Give the directory from which a file is imported, and its name from there."""
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    if root == path.parent and (levels := _relative_imports(path)):  # a part of a namespace package
        above = [Path(p) for p in search if path.is_relative_to(p) and len(path.relative_to(p).parts) > levels]
        root = max(above, key=lambda p: len(p.parts), default=path.parents[levels])
    parts = path.relative_to(root).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    if strange := [p for p in parts if not p.isidentifier()]:
        raise TargetError(f"{path} cannot be imported: {strange[0]!r} is no Python name; rename it")
    return root, ".".join(parts)


def _relative_imports(path: Path) -> int:
    """How many packages above a file its relative imports reach; 0 if there are none, or none that can be read."""
    with contextlib.suppress(SyntaxError, ValueError, OSError):
        return max(
            (n.level for n in ast.walk(ast.parse(path.read_bytes())) if isinstance(n, ast.ImportFrom)), default=0
        )
    return 0


def _refuse_shadowing(path: Path) -> None:
    if path.stem in sys.stdlib_module_names and path.is_file():
        raise TargetError(f"{path} has the name of Python's own module {path.stem!r}, and one of the two would be "
                          "imported in place of the other; rename the file")  # fmt: skip


def ops_of(target: Target) -> list[Target]:
    """Import a target and name each op that is meant, in the order of the source.

    Raises
    ------
    TargetError
        If it cannot be imported, has no such class, has no ops at all, or one that says of itself what means nothing.
    """
    module = _imported(target)
    if target.name:
        _refuse_malformed(_op_in(module, target), target)
        return [target]
    with _user_errors(target):
        ops = list(dict.fromkeys(functions_in(module)))
    for op in ops:
        _refuse_malformed(op, target)
    if not ops:
        raise TargetError(f"{target} defines no ops, and a check that tried nothing fails. An op is a subclass of "
                          f"adverify.Function with forward and backward{_almost(module)}")  # fmt: skip
    return [_address(op, target) for op in ops]


def _refuse_malformed(op: Any, target: Target) -> None:
    try:
        for kind in ("skip", "xfail"):
            hints(kind, op)
    except MalformedOp as error:
        raise TargetError(f"{target}: {error}") from error


def load(target: Target) -> Any:
    """Import the op that a target names: a Function class, or an instance.

    Raises
    ------
    TargetError
    """
    return _op_in(_imported(target), target)


def _address(op: type[Function], target: Target) -> Target:
    module = sys.modules[op.__module__]
    file = getattr(module, "__file__", "") or "" if target.file else ""
    bound = next(name for name, value in vars(module).items() if value is op)
    return replace(target, module=module.__name__, name=bound, file=file)


def _almost(module: ModuleType) -> str:
    """Say which classes look like ops and are none."""
    names = [n for n, v in vars(module).items() if isinstance(v, type) and v is not Function and hasattr(v, "forward")]
    own = [n for n in names if vars(module)[n].__module__ == module.__name__]
    return f"; {', '.join(own)} {'is' if len(own) == 1 else 'are'} not" if own else ""


def _op_in(module: ModuleType, target: Target) -> Any:
    found: Any = module
    for part in target.name.split("."):
        if not hasattr(found, part):
            raise TargetError(_missing(found, part, target))
        found = getattr(found, part)
    kind = found if isinstance(found, type) else type(found)
    if not issubclass(kind, Function):
        what = f"class {found.__name__}" if isinstance(found, type) else type(found).__name__
        raise TargetError(f"{target} is no op: expected a subclass of adverify.Function, or an instance of one; "
                          f"it is a {what}")  # fmt: skip
    return found


def _missing(owner: Any, name: str, target: Target) -> str:
    ops = [n for n, v in vars(owner).items() if isinstance(v, type) and issubclass(v, Function) and v is not Function]
    near = difflib.get_close_matches(name, ops, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"its ops are {listed(ops) or 'none'}"
    return f"{replace(target, name='')} has no {name!r}; {hint}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Name some, and say how many others there are.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _imported(target: Target) -> ModuleType:
    sys.path[:0] = [p for p in target.path if p not in sys.path]
    with _user_errors(target):
        module = importlib.import_module(target.module)
    found = getattr(module, "__file__", None)
    if target.file and (found is None or not Path(found).samefile(target.file)):
        raise TargetError(f"{target.file} is imported as {target.module!r}, and so is {found}; rename one of the two")
    return module


@contextlib.contextmanager
def _user_errors(target: Target) -> Iterator[None]:
    """Turn whatever an import raises into a TargetError that names the line."""
    try:
        yield
    except TargetError:
        raise
    except ModuleNotFoundError as error:
        if error.name and f"{target.module}.".startswith(f"{error.name}."):
            raise TargetError(_unknown_module(target, error.name)) from error
        raise TargetError(_failed_import(target, error)) from error
    except (Exception, SystemExit) as error:  # a module may raise anything
        raise TargetError(_failed_import(target, error)) from error


def _unknown_module(target: Target, missing: str) -> str:
    parent, _, name = missing.rpartition(".")
    places = getattr(sys.modules.get(parent), "__path__", []) if parent else target.path
    there = {
        p.stem for place in places for p in Path(place).iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()
    }
    near = difflib.get_close_matches(name, there)
    hint = f"did you mean {' or '.join(near)}?" if near else "is it installed, or below the current directory?"
    return f"there is no module {missing!r}; {hint}"


def _failed_import(target: Target, error: BaseException) -> str:
    said = str(error) or "no message"
    if isinstance(error, SyntaxError):
        said = error.msg
    return f"{target} cannot be imported: {_line(error)}: {type(error).__name__}: {said}"


def _line(error: BaseException) -> str:
    """Name the line of the user's own code at which something was raised."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen ")]
    own = [f for f in frames if is_users(f.filename)]
    if not (own or frames):
        return "while importing"
    frame = (own or frames)[-1]
    return f"{frame.filename}:{frame.lineno}: {frame.line}".removesuffix(": ")


def is_users(file: str) -> bool:
    """Whether a file is neither Python's, nor installed, nor adverify's."""
    path = Path(file)
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return not any(path.is_relative_to(place) for place in (*installed, Path(__file__).parent))
