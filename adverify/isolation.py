"""Whatever an op does to the process, or however long it takes, the process is left as it was."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import io
import random
import signal
import threading
import time
import warnings
from collections.abc import Iterator

import numpy as np

GRACE = 3
"""How many times its limit a call may take if no exception interrupts it, in a process that may be given up."""

last_words: int | None = None
"""Where the process writes its stack before it ends itself because of such a call; None if it must not end."""


class OutOfTime(BaseException):
    """A call of the op took longer than the time limit; not an Exception, so that no op's `except` swallows it."""


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Silence warnings and output, and restore NumPy's error state and the global random states afterwards."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  # the op may use the legacy global
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


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

    def reset(self) -> None:
        """Start the time anew."""
        self._since = time.monotonic()

    def pause(self) -> None:
        """Watch nothing until the next `reset`."""
        self._since = None

    def _interrupt(self, number: int, frame: object) -> None:
        if self._since is not None:
            self._since = None
            raise OutOfTime(f"a call took longer than {self.seconds:g} seconds")

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
