"""Tasks in spawned processes, and what the death of one costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cimkit.errors import FormatError, WorkerError
from cimkit.execute import Workers, started


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
