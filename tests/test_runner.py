"""What one item does to its process befalls no other."""

import ctypes
import inspect
import os
import sys
import time

from adverify.runner import Lost, Processes

HERE = os.path.basename(__file__)
LINE = inspect.getsource(sys.modules[__name__]).splitlines().index("            ctypes.string_at(0)") + 1


def ask(what):
    """Do something to the process."""
    print("never seen")
    match what:
        case "exit":
            os._exit(7)
        case "segfault":
            ctypes.string_at(0)
        case "leave":
            sys.exit(3)
        case "raise":
            raise ValueError("no")
        case "in C":
            sum(iter(int, 1))
    return what, os.getpid(), os.environ["OPENBLAS_NUM_THREADS"]


def test_each_item_is_answered_whatever_befalls_the_others(capfd):
    with Processes(2) as processes:
        asked = ["segfault", 1, "exit", 2, "raise", "leave", 3]
        answers = dict(processes.run(ask, asked))
    assert set(answers) == set(asked)
    assert all(answers[n][0] == n for n in (1, 2, 3))
    assert answers["exit"] == Lost("its process exited with code 7")
    assert answers["segfault"].reason == "its process was killed by SIGSEGV"
    assert f"{HERE}:{LINE} in ask" in answers["segfault"].where
    assert answers["leave"].reason == "it raised SystemExit: 3"
    assert answers["raise"].reason == "it raised ValueError: no"
    assert not any(answers[name].out_of_time for name in ("exit", "segfault", "leave", "raise"))
    assert capfd.readouterr() == ("", "")


def test_an_item_that_takes_too_long_is_ended_and_says_where_it_was():
    with Processes(1) as processes:
        assert [item for item, _ in processes.run(ask, [0])] == [0]  # so that starting takes no part of the time
        ((_, lost),) = processes.run(ask, ["in C"], seconds=4)
    assert lost.out_of_time
    assert lost.reason == "it took longer than 4 seconds in all"
    assert HERE in lost.where


def test_a_process_answers_many_items_but_none_of_another_kind():
    with Processes(1) as processes:
        answers = [pid for _, (_, pid, _) in processes.run(ask, [0, 2, 1], apart=lambda n: n % 2)]
        again = [pid for _, (_, pid, _) in processes.run(ask, [3], apart=lambda n: n % 2)]
    assert answers[0] == answers[1] != answers[2]
    assert again == answers[2:]


def test_items_may_be_without_end_and_time_may_be_up(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)

    def numbers():
        number = 0
        while True:
            yield number
            number += 1

    with Processes(1) as processes:
        ((_, (_, _, threads)),) = processes.run(ask, [0])
        until = time.monotonic() + 0.5
        found = [item for item, _ in processes.run(ask, numbers(), until=until)]
    assert found == list(range(len(found)))
    assert len(found) > 3
    assert threads == "1"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
