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


def _below(module: ModuleType) -> list[str]:
    """Name the modules of a package but programs, which importing would run."""
    path = getattr(module, "__path__", None)
    if path is None:
        return []
    names = {m.name for m in pkgutil.walk_packages(path, f"{module.__name__}.")}
    if getattr(module, "__file__", None) is None:  # a namespace package, whose parts may be such packages
        for part in {p.name for place in path for p in Path(place).iterdir() if _is_namespace(p)}:
            below = importlib.import_module(f"{module.__name__}.{part}")
            names |= {below.__name__, *_below(below)}
    return sorted(name for name in names if not name.endswith(".__main__"))


def _is_namespace(path: Path) -> bool:
    return path.name.isidentifier() and path.is_dir() and not (path / "__init__.py").exists()


def _is_op(value: object) -> bool:
    return (
        inspect.isclass(value)
        and issubclass(value, Function)
        and value is not Function
        and all(inspect.isfunction(getattr(value, name, None)) for name in ("forward", "backward"))
        and not inspect.isabstract(value)
    )
