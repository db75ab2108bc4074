"""What outlives a run, in `.adverify/`: failures, runs, and Hypothesis's examples. Nothing is written elsewhere.

A document is written to a file of its own that then gets its name, so a reader, another writer or a power cut meets
whole documents only. What cannot be written or read is said in a warning, and otherwise changes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from adverify import schema
from adverify.record import dumps, loads

Document = TypeVar("Document")

DIRECTORY = ".adverify"
UNFINISHED = ".unfinished"
IDENTITY = ("op", "property", "case")
"""What makes a failure another one."""
STALE_SECONDS = 3600.0
"""A file that has not got its name by then never will: whoever wrote it was killed."""


class Storage:
    """Documents in a directory.

    Parameters
    ----------
    root : Path
        The directory in which `.adverify/` is, or is made when something is first kept.
    warn : callable
        Told, once for each thing, what could not be stored or read.
    """

    def __init__(self, root: Path, warn: Callable[[str], None]) -> None:
        self.directory = root / DIRECTORY
        self._warn, self._warned = warn, set[str]()

    def prepare(self) -> None:
        """Make the directory; warn if nothing can be stored."""
        with self._said("nothing can be stored"):
            self._prepare(self.directory)
            with tempfile.TemporaryFile(dir=self.directory):
                pass

    def keep_failure(self, document: Mapping[str, Any]) -> None:
        """Keep a failure, unless the same case of the same op is kept already."""
        name = hashlib.sha256(_dumped({k: document[k] for k in IDENTITY}).encode()).hexdigest()[:20]
        path = self.directory / "failures" / f"{name}.json"
        with self._said("a failure could not be stored"):
            if not path.exists():
                self._write(path, _dumped(document))

    def failures(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Give each failure that is kept with its file, the oldest first."""
        return self._documents("failures", _failure_in)

    def forget(self, path: Path) -> None:
        """Remove a failure."""
        with self._said("that a failure is gone could not be stored"):
            path.unlink(missing_ok=True)

    def keep_run(self, document: schema.Document) -> str:
        """Keep a run and give the name under which it can be had again; empty if it could not be stored."""
        name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%f}-{os.getpid()}"
        with self._said("this run could not be stored"):
            self._write(self.directory / "runs" / f"{name}.json", dumps(document))
            return name
        return ""

    def runs(self) -> Iterator[tuple[Path, schema.Document]]:
        """Give each run that is kept with its file, the oldest first."""
        return self._documents("runs", loads)

    def _documents(self, kind: str, read: Callable[[bytes], Document]) -> Iterator[tuple[Path, Document]]:
        for path in sorted((self.directory / kind).glob("*.json"), key=_age):
            try:
                yield path, read(path.read_bytes())
            except FileNotFoundError:  # another process has just forgotten it
                continue
            except (OSError, ValueError) as error:
                self._say(f"{path} cannot be read, and is left as it is: {error}")

    def _write(self, path: Path, text: str) -> None:
        self._prepare(path.parent)
        _put(path, text)

    def _prepare(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        ignore = self.directory / ".gitignore"
        if not ignore.exists():
            _put(ignore, "*\n")
        for left in directory.glob(f"*{UNFINISHED}"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE_SECONDS:
                    left.unlink()

    @contextlib.contextmanager
    def _said(self, what: str) -> Iterator[None]:
        """Say what could not be done instead of raising."""
        try:
            yield
        except OSError as error:
            self._say(f"{what} in {self.directory}: {error.strerror or error}")

    def _say(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)


def _age(path: Path) -> tuple[int, str]:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns, path.name
    return 0, path.name


def _failure_in(text: bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict) or not set(IDENTITY) <= set(found):
        raise ValueError(f"expected a failure, with {', '.join(IDENTITY)}; this is other JSON")
    return found


def _dumped(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def _put(path: Path, text: str) -> None:
    """Write a file that is there as a whole, or not at all."""
    handle, temporary = tempfile.mkstemp(suffix=UNFINISHED, dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _settle(path.parent)


def _settle(directory: Path) -> None:
    """See to it that a new name in a directory outlives a power cut, where the system allows to ask for it."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
