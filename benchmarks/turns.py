"""Timing on a machine that others use as well: contenders take turns, and the least time of each is kept."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

BURST = 5
"""Runs in a row at each turn, as in a training loop: the first find memory and caches as the previous left them."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def on_one_thread(module: str) -> None:
    """Start the process anew unless its libraries, which look when they are loaded, were told to use one thread."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])


def least(contenders: Mapping[str, Callable[[], Any]], rounds: int, burst: int = BURST) -> dict[str, float]:
    """Give the least processor time of a run of each contender, in seconds, over so many rounds of turns."""
    seconds = dict.fromkeys(contenders, float("inf"))
    gc.collect()
    for _ in range(rounds):
        for name, run in contenders.items():
            for _ in range(burst):
                start = time.process_time()
                result = run()
                seconds[name] = min(seconds[name], time.process_time() - start)
                del result
    return seconds
