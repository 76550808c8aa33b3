"""Tasks in spawned processes, and what the death of one costs."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from cimkit import execute
from cimkit.errors import FormatError, WorkerError
from cimkit.execute import Clock, Limits, Workers, started

ROOT = Path(__file__).parents[1]


def double(value):
    return 2 * value


def pid(_):
    return os.getpid()


def fail(value):
    raise FormatError("is bad", path=value)


def die_once(marker):
    path = Path(marker)
    if path.suffix == ".poison" and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def die_always(value):
    if value == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def pid_unless_first(marker):
    """Number of the process; the first task of the first try kills its own."""
    path = Path(marker)
    if path.name == "0" and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if path.name != "0":
        time.sleep(0.2)
    return os.getpid()


def fail_after(task):
    seconds, path = task
    time.sleep(seconds)
    raise FormatError("is bad", path=path)


def fail_but_the_first(number):
    if number:
        raise FormatError("is bad", path=str(number))
    time.sleep(0.5)


def interrupt_itself(value):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    return value


def note_and_sleep(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def spin():
    while True:
        pass


DEATHS = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "crashed": lambda: ctypes.string_at(0),
    "left": lambda: os._exit(3),
    "out of memory": lambda: bytearray(1 << 60),
    "asleep": lambda: time.sleep(3600),
    "spinning": spin,
}
"""Ways in which a worker does not come back."""


def die_of(task):
    how, value = task
    if how:
        faulthandler.disable()
        DEATHS[how]()
    return value


def panic(_):
    """Native code of Rust raises something that is no Exception and that cannot be sent."""

    class PanicException(BaseException):
        pass

    raise PanicException("mid > len")


def allocate(n_bytes):
    return len(bytearray(n_bytes))


class Watched(Mapping[str, str]):
    """Tasks that know which of them were looked at."""

    def __init__(self, n):
        self.n, self.seen = n, set()

    def __getitem__(self, name):
        self.seen.add(name)
        return name

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


@pytest.mark.parametrize("n", [1, 2])
def test_results_come_in_the_order_of_the_tasks(n):
    seen = []
    with started(n, lambda *state: seen.append(state)) as workers:
        results = list(workers.run("double", double, {str(k): k for k in range(20)}))
    assert results == [2 * k for k in range(20)]
    assert seen[-1] == ("double", 20, 20)


def test_tasks_run_in_another_process():
    with started(1) as workers:
        assert list(workers.run("pid", pid, {"a": 0})) != [os.getpid()]


def test_an_error_of_a_task_arrives_with_its_words():
    with started(1) as workers, pytest.raises(FormatError, match=r"a\.laz: is bad") as caught:
        list(workers.run("read", fail, {"a": "a.laz"}))
    assert caught.value.path == "a.laz"


def test_one_death_costs_a_retry(tmp_path):
    tasks = {n: str(tmp_path / n) for n in ("a", "b.poison", "c", "d")}
    with started(2) as workers:
        assert list(workers.run("work", die_once, tasks)) == ["a", "b.poison", "c", "d"]


def test_a_task_that_always_kills_is_named():
    tasks = {"block 1": "fine", "block 2": "poison", "block 3": "fine"}
    with started(2) as workers, pytest.raises(WorkerError, match="work block 2") as caught:
        list(workers.run("work", die_always, tasks))
    assert caught.value.exit_code == 5


SHORT = Limits(1.0, 20.0, 1 << 40)


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("how", [how for how in DEATHS if how != "asleep"])
def test_poison_is_named_and_the_rest_is_done(how, place):
    tasks = {f"block {k}": (how if k == place else "", k) for k in range(5)}
    aside: dict[str, Exception] = {}
    with started(2) as workers:
        found = workers.run("work", die_of, tasks, limits=lambda task: SHORT, set_aside=aside)
        assert list(found) == [None if k == place else k for k in range(5)]
    assert list(aside) == [f"block {place}"]
    error = aside[f"block {place}"]
    assert isinstance(error, WorkerError)
    assert error.task == f"work block {place}"
    words = {
        "asleep": "longer",
        "spinning": "longer",
        "killed": "memory has run out",
        "crashed": "crashed",
    }
    assert words.get(how, "") in str(error)


def test_a_task_that_waits_forever_is_ended():
    limits = Limits(60.0, 1.0, 1 << 40)
    with started(1) as workers, pytest.raises(WorkerError, match="longer than it may"):
        list(workers.run("work", die_of, {"a": ("asleep", 0)}, limits=lambda task: limits))


def test_a_panic_of_native_code_is_an_error_in_words():
    with started(1) as workers, pytest.raises(RuntimeError, match="PanicException: mid > len"):
        list(workers.run("work", panic, {"a": 0}))


def test_what_is_no_fault_of_the_task_is_not_set_aside():
    aside: dict[str, Exception] = {}
    with started(1) as workers, pytest.raises(FormatError):
        list(workers.run("read", fail, {"a": "a.laz"}, set_aside=aside))
    with started(1) as workers:
        found = workers.run(
            "read", fail, {"a": "a.laz"}, set_aside=aside, forgiven=(FormatError,)
        )
        assert list(found) == [None]
    assert list(aside) == ["a"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS keeps no limit on address space")
def test_a_task_cannot_take_more_memory_than_it_may():
    limits = Limits(60.0, 600.0, 200_000_000)
    with started(1) as workers:
        tasks = {"a": 50_000_000, "b": 1_000_000_000}
        aside: dict[str, Exception] = {}
        found = workers.run(
            "work", allocate, tasks, limits=lambda task: limits, set_aside=aside
        )
        assert list(found) == [50_000_000, None]
        assert list(workers.run("free", allocate, {"c": 1_000_000_000})) == [1_000_000_000]


def test_after_a_task_that_always_kills_the_workers_are_still_of_use():
    with started(2) as workers:
        with pytest.raises(WorkerError):
            list(workers.run("work", die_always, {"a": "poison"}))
        assert list(workers.run("double", double, {"a": 1, "b": 2})) == [2, 4]


@pytest.mark.parametrize("submitted", [2, 10_000])
def test_a_death_while_thousands_of_tasks_are_submitted(tmp_path, monkeypatch, submitted):
    monkeypatch.setattr(execute, "_SUBMITTED_PER_WORKER", submitted)
    tasks = {str(k): str(tmp_path / f"{k}{'' if k else '.poison'}") for k in range(2000)}
    seen = []
    with started(2, lambda *state: seen.append(state)) as workers:
        results = list(workers.run("work", die_once, tasks))
    assert results == [Path(task).name for task in tasks.values()]
    assert seen == [("work", k, 2000) for k in range(2001)]  # 0: it begins


def test_a_death_between_two_phases_is_not_noticed():
    with started(1) as workers:
        (worker,) = workers.run("pid", pid, {"a": 0})
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not alive(worker))
        time.sleep(0.2)  # the pool learns of it: the next submit fails
        assert list(workers.run("double", double, {"a": 1})) == [2]


def test_one_process_runs_all_that_a_death_took(tmp_path):
    tasks = {str(k): str(tmp_path / str(k)) for k in range(4)}
    with started(2) as workers:
        assert len(set(workers.run("pid", pid_unless_first, tasks))) == 1


def test_arguments_are_taken_when_they_are_needed():
    tasks = Watched(1000)
    with started(1) as workers:
        assert next(workers.run("double", double, tasks)) == 0
    assert len(tasks.seen) <= 2


@pytest.mark.parametrize("n", [1, 2])
def test_of_two_errors_the_first_in_the_order_of_the_tasks_is_raised(n):
    tasks = {"slow": (0.5, "a.laz"), "quick": (0.0, "b.laz")}
    with started(n) as workers, pytest.raises(FormatError, match=r"a\.laz"):
        list(workers.run("read", fail_after, tasks))


def test_after_an_error_no_task_is_begun():
    tasks = Watched(1000)
    with started(2) as workers, pytest.raises(FormatError):
        list(workers.run("read", fail_but_the_first, tasks))
    assert len(tasks.seen) <= 8


def test_ctrl_c_is_left_to_the_parent():
    with started(1) as workers:
        assert list(workers.run("work", interrupt_itself, {"a": "a"})) == ["a"]


def test_cpu_of_the_workers_is_booked_on_their_phase():
    clock = Clock()
    with started(2) as workers:
        list(workers.run("burn", burn, {"a": 0.3, "b": 0.3}))
        list(workers.run("rest", time.sleep, {"a": 0.3}))
        clock.lap("all")
        facts = json.loads(clock.as_json(workers, {"block_size": 500.0}))
    assert facts["workers_cpu_s"]["burn"] >= 0.6
    assert facts["workers_cpu_s"]["rest"] < facts["workers_cpu_s"]["burn"]
    assert facts["phases"]["all"]["own_cpu_s"] < facts["workers_cpu_s"]["burn"]
    assert facts["peak_memory_kb"] > 1000


def alive(process):
    """Whether a process runs; one that only waits to be counted does not."""
    try:
        os.kill(process, 0)
        return ") Z" not in Path(f"/proc/{process}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # no /proc, or gone meanwhile
        return not os.path.exists("/proc/self")


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def busy_program(tmp_path):
    """A program with two workers that sleep for a minute: its process and their numbers."""
    program = (
        "import signal\n"
        "from cimkit.execute import started\n"
        "from tests.test_execute import note_and_sleep\n"
        # Tests that run in the background are deaf to Ctrl-C, and so would this be.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n"
        "    with started(2) as workers:\n"
        f"        tasks = dict.fromkeys('abcdef', {str(tmp_path)!r})\n"
        "        list(workers.run('sleep', note_and_sleep, tasks))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        yield process, [int(path.name) for path in tmp_path.iterdir()]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_workers_do_not_outlive_a_killed_parent(busy_program):
    process, workers = busy_program
    assert all(map(alive, workers))
    process.kill()
    wait_until(lambda: not any(map(alive, workers)))


@pytest.mark.parametrize("end", ["ctrl-c", "sigterm"])
def test_an_interrupted_parent_ends_its_workers_at_once(busy_program, end):
    process, workers = busy_program
    if end == "ctrl-c":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.terminate()
    out, err = process.communicate(timeout=30)  # the tasks would take 60
    assert (out, err, process.returncode) == ("interrupted\n", "", 0)
    assert not any(map(alive, workers))


def test_sigterm_is_handled_only_within_and_only_where_nobody_else_does():
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with started(1):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with started(1):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_workers_start_from_a_thread():
    results: list[int] = []

    def work():
        with started(1) as workers:
            results.extend(workers.run("double", double, {"a": 4}))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert results == [8]


def test_modules_that_windows_lacks_are_not_needed_to_import():
    program = (
        "import sys\n"
        "sys.modules.update(fcntl=None, resource=None)\n"
        "import cimkit.execute, cimkit.write.store\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_cores_by_default():
    assert Workers(0).n == os.cpu_count()


def test_a_script_without_a_guard_does_not_start_itself_again(tmp_path):
    """And neither does a program from a pipe, whose file cannot be found again."""
    program = (
        "import operator\n"
        "from cimkit.execute import started\n"
        "print('once')\n"
        "with started(2) as workers:\n"
        "    print(sum(workers.run('neg', operator.neg, {'a': 1, 'b': 2})))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(program)
    for command, given in (([str(script)], None), (["-"], program)):
        done = subprocess.run(
            [sys.executable, *command], input=given, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["once", "-3"]
