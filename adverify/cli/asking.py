"""How a command asks something about many ops and shows how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from rich.console import Console

from adverify.cli.display import progress
from adverify.runner import Lost, Processes
from adverify.targets import Target
from adverify.verification import Answer, Plan, lost

Item = TypeVar("Item")
Value = TypeVar("Value")


def asked(
    ask: Callable[..., Value],
    items: Sequence[Item],
    plan: Plan,
    running: Processes,
    where: Console,
    op_of: Callable[[Any], Target] = lambda item: item,
) -> Iterator[tuple[Item, Value | Answer]]:
    """Give each item with the answer to ``ask(item, plan=plan)``, as the answers come, under a progress bar.

    Ops of one directory have their own processes: two directories may have modules of the same name.
    """
    with progress(where, len(items)) as bar:
        for item, said in running.run(
            partial(ask, plan=plan), items, seconds=plan.patience, apart=lambda item: op_of(item).path
        ):
            yield item, lost(op_of(item), said) if isinstance(said, Lost) else said
            bar.advance(bar.task_ids[0])
