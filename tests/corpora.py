"""Ops whose verdict is known: loaded by path, so that nothing of them belongs to the package."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Collection, Iterator
from pathlib import Path

from adverify import Function

HERE = Path(__file__).parent
ROOTS = {
    "own": HERE / "corpus",
    "shared": HERE.parents[1] / "shared" / "corpus",
    "further": HERE / "corpus_further",
}


def ops(kind: str, roots: Collection[str] = tuple(ROOTS)) -> Iterator[tuple[str, type[Function]]]:
    """Give (name, class) of every op of a kind, ``"mutants"`` or ``"controls"``, of the corpora that are there."""
    for root in roots:
        for path in sorted((ROOTS[root] / kind).glob("*.py")):
            spec = importlib.util.spec_from_file_location(f"corpus_{root}_{kind}_{path.stem}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            for name, value in list(vars(module).items()):
                is_op = inspect.isclass(value) and issubclass(value, Function) and value.__module__ == spec.name
                if is_op and not name.startswith("_"):
                    yield f"{root}/{path.stem}::{name}", value
