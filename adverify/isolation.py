"""Whatever an op does to the process, or however long it takes, the process is left as it was."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import io
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

GRACE = 3
"""How many times its limit a call may take if no exception interrupts it, in a process that may be given up."""

last_words: int | None = None
"""Where the process writes its stack before it ends itself because of such a call; None if it must not end."""


class OutOfTime(BaseException):
    """A call of the op took longer than the time limit; not an Exception, so that no op's `except` swallows it."""

    def __str__(self) -> str:
        return super().__str__() or "a call took longer than the time limit"  # as Python raises it in other threads


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Silence warnings and output, and restore afterwards what is global to a process.

    NumPy's error state and print options, the random states, the environment, the working directory, `sys.path` and
    `sys.argv`, and the recursion limit.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  # the op may use the legacy global
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        np.printoptions(),
        _as_it_was(),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Restore what belongs to Python and to the system, and only what was changed."""
    environment, path, argv, limit = dict(os.environ), list(sys.path), list(sys.argv), sys.getrecursionlimit()
    try:
        where = os.getcwd()
    except OSError:  # it is gone, and nobody can get back to it
        where = ""
    try:
        yield
    finally:
        for name in {*environment, *os.environ}:
            if environment.get(name) != os.environ.get(name):
                os.environ.pop(name, None)
                os.environ.update({name: environment[name]} if name in environment else {})
        sys.path[:], sys.argv[:] = path, argv
        sys.setrecursionlimit(limit)
        if where:
            with contextlib.suppress(OSError):
                os.chdir(where)


class Watch:
    """Raises OutOfTime in the thread that made it if it is not reset for `seconds`.

    One thread looks several times a second, so watching a call costs one assignment. In the main thread a signal
    interrupts even a sleeping call; elsewhere the exception comes with the next bytecode.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"the time limit must be a positive number of seconds; got {seconds!r}")
        self.seconds = seconds
        self._since: float | None = None
        self._call: tuple[str, Sequence[Any]] = "", ()
        self._fired = False
        self._done = threading.Event()
        self._target = threading.get_ident()
        self._by_signal = threading.current_thread() is threading.main_thread() and hasattr(signal, "pthread_kill")

    def __enter__(self) -> Watch:
        if self._by_signal:
            self._previous = signal.signal(signal.SIGUSR1, self._interrupt)
        self._put_off_the_end()
        self._thread = threading.Thread(target=self._look, name="adverify-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._since = None
        self._done.set()
        self._thread.join()
        if last_words is not None:
            faulthandler.cancel_dump_traceback_later()
        if self._by_signal:
            signal.signal(signal.SIGUSR1, self._previous)

    def reset(self, what: str = "", inputs: Sequence[Any] = ()) -> None:
        """Start the time anew; what is called, and with which inputs, is said if it takes too long."""
        self._call = what, inputs
        self._since = time.monotonic()

    def pause(self) -> None:
        """Watch nothing until the next `reset`."""
        self._since = None

    def stop(self) -> None:
        """Pause after a call; raise OutOfTime if it was interrupted, and has swallowed that."""
        self.pause()
        if self._fired:
            self._fired = False
            raise self._late()

    def _late(self) -> OutOfTime:
        what, inputs = self._call
        shapes = " and ".join(str(np.shape(x.data)) for x in inputs)
        call = f"a call of {what} with inputs of shape {shapes}" if what else "a call"
        return OutOfTime(f"{call} took longer than {self.seconds:g} second{'s' * (self.seconds != 1)}")

    def _interrupt(self, number: int, frame: object) -> None:
        if self._since is not None:
            self._since = None
            self._fired = True
            raise self._late()

    def _put_off_the_end(self) -> None:
        if last_words is not None:
            faulthandler.dump_traceback_later(GRACE * self.seconds, exit=True, file=last_words)

    def _look(self) -> None:
        while not self._done.wait(min(0.2, self.seconds / 4)):
            since = self._since
            late = since is not None and time.monotonic() - since > self.seconds
            if not late:  # nor is it put off by a call that lets no other thread run
                self._put_off_the_end()
            elif self._by_signal:
                signal.pthread_kill(self._target, signal.SIGUSR1)
            else:
                self._since = None
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._target), ctypes.py_object(OutOfTime))
