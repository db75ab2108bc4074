"""Find the Functions that a module or a package defines."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from adverify.engine import Function


def functions_in(module: ModuleType) -> Iterator[type[Function]]:
    """Give every Function class that `module`, or a module below it, defines.

    Left out are classes imported from elsewhere, those whose name starts with an underscore, and those that have no
    forward and backward of their own or inherited: bases for others.

    Examples
    --------
    >>> import adverify.ops
    >>> "Add" in {op.__name__ for op in functions_in(adverify.ops)}
    True
    """
    for name in [module.__name__, *_below(module)]:
        found = importlib.import_module(name)
        for attribute, value in list(vars(found).items()):
            if not attribute.startswith("_") and _is_op(value) and value.__module__ == name:
                yield value


def _below(package: ModuleType) -> list[str]:
    """Name the modules of a package, of packages in it, and of folders without an ``__init__.py``; not programs."""
    places = [Path(place) for place in getattr(package, "__path__", ())]
    here = {m.name for m in pkgutil.iter_modules([str(p) for p in places])}
    here |= {folder.name for place in places for folder in place.iterdir() if _is_namespace(folder)}
    names = []
    for name in sorted(here - {"__main__"}):
        found = f"{package.__name__}.{name}"
        names += [found, *_below(importlib.import_module(found))]
    return names


def _is_namespace(path: Path) -> bool:
    return path.name.isidentifier() and not (path / "__init__.py").exists() and any(path.glob("**/*.py"))


def _is_op(value: object) -> bool:
    return (
        inspect.isclass(value)
        and issubclass(value, Function)
        and value is not Function
        and all(inspect.isfunction(getattr(value, name, None)) for name in ("forward", "backward"))
        and not inspect.isabstract(value)
    )
