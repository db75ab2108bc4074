"""Ask something of many items in processes of their own: what one does to its process befalls no other."""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import multiprocessing
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from adverify import isolation
from adverify.targets import is_users

Item = TypeVar("Item")
Value = TypeVar("Value")

LOOK_SECONDS = 0.5
LAST_WORDS_SECONDS = 2.0
"""How long a process that is ended has to say where it was."""
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Lost:
    """What is known of a question whose process ended before it answered.

    Attributes
    ----------
    reason : str
        ``"its process was killed by SIGSEGV"``.
    where : str
        The line of the user's code that was running, ``"ops.py:12 in forward"``; empty if it is not known.
    out_of_time : bool
        Whether it was ended because it took too long.
    """

    reason: str
    where: str = ""
    out_of_time: bool = False

    def __str__(self) -> str:
        return self.reason + f" at {self.where}" * bool(self.where)


class Processes:
    """So many processes, each started when it is first needed; leaving the context ends them.

    They are spawned, and NumPy's libraries keep to one thread in each.

    Parameters
    ----------
    number : int, optional
        How many at once. Default: one a core.
    """

    def __init__(self, number: int | None = None) -> None:
        self._number = number or cores()
        self._idle: list[_Worker] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._idle:
            worker.end()

    def run(
        self,
        ask: Callable[[Item], Value],
        items: Iterable[Item],
        *,
        seconds: float = float("inf"),
        until: float = float("inf"),
        apart: Callable[[Item], object] = lambda item: None,
    ) -> Iterator[tuple[Item, Value | Lost]]:
        """Give each item with what `ask` returns for it, as the answers come.

        An item is taken when a process is free for it, so there may be infinitely many; closing the iterator ends those
        that are at work.

        Parameters
        ----------
        ask : callable
            A function of a module, or a `functools.partial` of one; what it takes and returns is pickled.
        items : iterable
        seconds : float
            How long one item may take.
        until : float
            When to stop, by `time.monotonic`.
        apart : callable
            Items for which it gives unlike things never share a process.
        """
        feed = iter(items)
        busy: list[_Worker] = []
        try:
            busy += [self._given(ask, item, apart(item)) for item in itertools.islice(feed, self._number)]
            while busy and time.monotonic() < until:
                wait([thing for w in busy for thing in (w.connection, w.process.sentinel)], LOOK_SECONDS)
                for worker in [w for w in busy if w.is_done(seconds)]:
                    busy.remove(worker)
                    item, answer = worker.item, worker.answer()
                    if isinstance(answer, Lost):
                        worker.end()
                    else:
                        self._idle.append(worker)
                    busy += [self._given(ask, item, apart(item)) for item in itertools.islice(feed, 1)]
                    yield item, answer
        finally:
            for worker in busy:
                worker.end()

    def _given(self, ask: Callable[[Any], Any], item: Any, kind: object) -> _Worker:
        worker = next((w for w in self._idle if w.kind in (None, kind)), None)
        if worker is not None:
            self._idle.remove(worker)
        elif len(self._idle) == self._number:
            self._idle.pop(0).end()
        return (worker or _Worker()).given(ask, item, kind)


def cores() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """A process that answers one item at a time."""

    def __init__(self) -> None:
        self.kind: object = None
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._heard, last_words = context.Pipe(duplex=False)
        self.process = context.Process(target=_serve, args=(theirs, last_words), daemon=True)
        with _one_thread():
            self.process.start()
        theirs.close()
        last_words.close()

    def given(self, ask: Callable[[Any], Any], item: Any, kind: object) -> _Worker:
        self.item, self.kind = item, kind
        self._started, self._out_of_time = time.monotonic(), False
        with contextlib.suppress(OSError):  # it is dead, as will be seen
            self.connection.send((ask, item))
        return self

    def is_done(self, seconds: float) -> bool:
        """Whether there is an answer, or will be none; ends the process if it has taken too long."""
        if self.connection.poll() or not self.process.is_alive():
            return True
        self._out_of_time = time.monotonic() - self._started > seconds
        if self._out_of_time:
            self._reason = f"it took longer than {seconds:g} seconds in all"
            self._end_with_last_words()
        return self._out_of_time

    def answer(self) -> Any:
        with contextlib.suppress(EOFError, OSError):
            if not self._out_of_time and self.connection.poll():
                return self.connection.recv()
        self.process.join(LAST_WORDS_SECONDS)
        words = self._last_words()
        if words.startswith("Timeout"):
            reason, self._out_of_time = "a call took too long, and nothing could interrupt it", True
        elif self._out_of_time:
            reason = self._reason
        else:
            reason = f"its process {_ending(self.process.exitcode)}"
        return Lost(reason, _where(words), self._out_of_time)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()
        self._heard.close()

    def _end_with_last_words(self) -> None:
        if os.name == "posix" and self.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGABRT)
            self.process.join(LAST_WORDS_SECONDS)
        self.process.kill()

    def _last_words(self) -> str:
        if os.name != "posix":  # a pipe is no file there, and nothing was written to it
            return ""
        os.set_blocking(self._heard.fileno(), False)
        with contextlib.suppress(OSError):
            return os.read(self._heard.fileno(), 1 << 16).decode(errors="replace")
        return ""


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Start processes whose linear algebra keeps to one thread: more would only get in the others' way."""
    added = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _serve(connection: Connection, last_words: Connection) -> None:
    """Answer until nobody asks; Ctrl-C is the asking process's business; nothing is printed, or left beside sources."""
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no file of the op's memory beside the user's sources
        faulthandler.enable(last_words.fileno())
        isolation.last_words = last_words.fileno()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    with contextlib.suppress(EOFError, OSError):
        while True:
            ask, item = connection.recv()
            try:
                answer = ask(item)
            except BaseException as error:  # a question must be answered
                answer = Lost(f"it raised {traceback.format_exception_only(error)[-1].strip()}", _raised_at(error))
            connection.send(answer)


def _raised_at(error: BaseException) -> str:
    """Name the innermost line that is the user's; if none is, the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)[::-1]
    frame = next((f for f in frames if is_users(f.filename)), frames[0])
    return f"{frame.filename}:{frame.lineno} in {frame.name}"


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "closed its connection"
    if exit_code is not None and exit_code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-exit_code).name
            return f"was killed by {name}" + ", as happens when memory runs out" * (name == "SIGKILL")
    return f"exited with code {exit_code}"


def _where(last_words: str) -> str:
    """Find, in what `faulthandler` wrote, the innermost line that is the user's."""
    current = last_words.partition("Current thread")[2] or last_words
    lines = re.findall(r'File "(.+)", line (\d+) in (.+)', current)
    return next((f"{file}:{line} in {name}" for file, line, name in lines if is_users(file)), "")
