"""What is stored outlives whatever happens to who stores it, and what cannot be stored changes nothing else."""

import os
import signal
import sys
import time

import pytest

from adverify.record import to_document
from adverify.storage import STALE_SECONDS, Storage

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")


def failure(number):
    return {"op": "ops:MyOp", "property": "gradient", "case": {"seed": number}, "reason": "wrong" * 1000}


def seeds(storage):
    return sorted(document["case"]["seed"] for _, document in storage.failures())


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def storage(tmp_path, warnings):
    return Storage(tmp_path, warnings.append)


def in_a_process(work):
    """Run `work` in a fork; give its process id."""
    if pid := os.fork():
        return pid
    try:
        work()
    finally:
        os._exit(0)


def test_the_same_failure_is_kept_once_and_nothing_is_written_elsewhere(storage, tmp_path, warnings):
    for number in (1, 2, 1):
        storage.keep_failure(failure(number))
    assert seeds(storage) == [1, 2]
    assert os.listdir(tmp_path) == [".adverify"]
    assert (tmp_path / ".adverify" / ".gitignore").read_text() == "*\n"
    assert warnings == []


def test_two_writers_lose_nothing(storage):
    writers = [
        in_a_process(lambda first=first: [storage.keep_failure(failure(i)) for i in range(first, 100, 2)])
        for first in (0, 1)
    ]
    for pid in writers:
        os.waitpid(pid, 0)
    assert seeds(storage) == list(range(100))


def test_two_writers_of_the_same_failures_lose_nothing(storage):
    writers = [in_a_process(lambda: [storage.keep_failure(failure(i)) for i in range(50)]) for _ in range(2)]
    for pid in writers:
        os.waitpid(pid, 0)
    assert seeds(storage) == list(range(50))


def test_a_writer_that_is_killed_loses_nothing_it_has_kept(storage, warnings):
    kept = set()
    for killed_after in range(15):
        read, write = os.pipe()

        def work(first=1000 * killed_after, write=write):
            for i in range(first, first + 1000):
                storage.keep_failure(failure(i))
                os.write(write, b"%d\n" % i)

        pid = in_a_process(work)
        os.close(write)
        time.sleep(0.002 + 0.005 * killed_after)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with open(read) as acknowledged:
            kept |= {int(line) for line in acknowledged.read().split("\n")[:-1]}
    assert kept
    assert kept <= set(seeds(storage))
    assert warnings == []


def test_what_a_killed_writer_left_unfinished_goes_when_it_is_old(storage, tmp_path):
    storage.keep_failure(failure(1))
    left, fresh = (tmp_path / ".adverify" / "failures" / f"{name}.unfinished" for name in ("old", "new"))
    for path in (left, fresh):
        path.write_text("{")
    os.utime(left, (0, time.time() - 2 * STALE_SECONDS))
    storage.keep_failure(failure(2))
    assert not left.exists()
    assert fresh.exists()
    assert seeds(storage) == [1, 2]


def test_a_file_in_the_place_of_the_directory_is_a_warning(storage, tmp_path, warnings):
    (tmp_path / ".adverify").write_text("mine")
    storage.prepare()
    storage.keep_failure(failure(1))
    assert storage.keep_run(to_document([])) == ""
    assert list(storage.failures()) == []
    assert (tmp_path / ".adverify").read_text() == "mine"
    told = ["nothing can be stored", "a failure could not be stored", "this run could not be stored"]
    assert [w.partition(" in ")[0] for w in warnings] == told


def test_a_full_disk_is_a_warning_and_keeps_what_was_there(storage, tmp_path):
    import resource

    storage.keep_failure(failure(1))
    said = tmp_path / "said"
    said.touch()
    output = os.open(said, os.O_WRONLY)

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        warnings = []
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        Storage(tmp_path, warnings.append).keep_failure(failure(2))
        os.write(output, "".join(warnings).encode()[:90])

    os.waitpid(in_a_process(work), 0)
    assert said.read_text().startswith("a failure could not be stored in")
    assert seeds(storage) == [1]
    assert os.listdir(tmp_path / ".adverify" / "failures") == [next(storage.failures())[0].name]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"op": 1'])
def test_a_corrupted_file_is_named_skipped_and_left(storage, warnings, content):
    for number in range(3):
        storage.keep_failure(failure(number))
    path, document = next(storage.failures())
    path.write_bytes(content)
    assert seeds(storage) == sorted({0, 1, 2} - {document["case"]["seed"]})
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    assert path.read_bytes() == content


def test_runs_are_had_again_in_the_order_in_which_they_were_kept(storage):
    names = [storage.keep_run(to_document([], settings={"number": i})) for i in range(3)]
    assert [document["settings"]["number"] for _, document in storage.runs()] == [0, 1, 2]
    assert [path.stem for path, _ in storage.runs()] == names
