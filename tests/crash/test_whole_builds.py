"""A build that dies anywhere, then runs again: the bytes are those of one that did not die."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cimkit
from tests.conftest import ROOT
from tests.test_pipeline import small_inputs, tree_of

DRIVER = ROOT / "tests" / "crash" / "dying_build.py"
DAMAGES = ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "EINTR")


class Bench:
    """A place where one small city is built again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keys = small_inputs(folder / "in")
        lines = [f"{name} = {value!r}".replace("'", '"') for name, value in keys.items()]
        (folder / "city.toml").write_text("\n".join(lines))
        self.wanted = tree_of(self.build("calm"))

    def build(self, name: str, how: str = "kill", at: int = 0, **options: float) -> Path:
        """The city folder after a build that was to die; `code` is how it ended."""
        out = self.folder / name / "city"
        out.parent.mkdir(exist_ok=True)
        arguments = [str(out), "--job", str(self.folder / "city.toml"), "--block-size", "50"]
        command = [sys.executable, str(DRIVER), how, str(at), *arguments, "--overwrite"]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        seconds = options.get("seconds")
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        _, self.said = process.communicate(timeout=300)
        self.code = process.returncode
        return out


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"))


def scraps(folder):
    """What lies beside the city and the register."""
    names = {path.name for path in folder.iterdir()}
    return names - {"city", "city.register.gpkg"}


def n_steps(bench):
    """Steps of a build over an older city, found by doubling and halving."""
    low, high = 1, 2
    while bench.build(f"steps{high}", at=high) and bench.code != 99:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        bench.build(f"steps{middle}", at=middle)
        low, high = (low, middle) if bench.code == 99 else (middle, high)
    return low


def finish(bench, name):
    city = bench.build(name)
    assert bench.code in (0, 1, 99), bench.said
    assert tree_of(city) == bench.wanted
    assert scraps(city.parent) == set()
    assert cimkit.open_city(city).counts["buildings"] == 3


def killed_at_steps(bench, steps):
    for step in steps:
        bench.build(f"step{step}", at=step)
        assert bench.code == -signal.SIGKILL, (step, bench.said)
        finish(bench, f"step{step}")


def killed_at_moments(bench, n, seed):
    """Up to three kills at random moments of one build, then its end."""
    luck, done, wholes = random.Random(seed), 0, 0
    begin = time.monotonic()
    bench.build("clock")
    length = time.monotonic() - begin
    while done < n:
        for _ in range(min(luck.randint(1, 3), n - done)):
            bench.build(f"moment{wholes}", seconds=luck.uniform(0, length))
            done += 1
        finish(bench, f"moment{wholes}")
        wholes += 1


def test_a_kill_at_some_steps_costs_nothing(bench):
    killed_at_steps(bench, [9, 30])


def test_a_kill_at_some_moments_costs_nothing(bench):
    killed_at_moments(bench, 2, seed=1)


@pytest.mark.slow
def test_a_kill_at_every_step_costs_nothing(bench):
    killed_at_steps(bench, range(1, n_steps(bench) + 1))


@pytest.mark.slow
def test_forty_kills_at_random_moments_cost_nothing(bench):
    killed_at_moments(bench, 40, seed=2)


def spared(bench, how, steps):
    """An error of the disk at any step leaves the old city, and a word on it."""
    city = bench.build("spared")
    for step in steps:
        bench.build("spared", how, step)
        if bench.code == 99:
            assert step > 30, "the fault never came"
            return
        assert b"Traceback" not in bench.said
        assert bench.code in (0, 1, 4), (step, bench.code, bench.said)
        assert tree_of(city) == bench.wanted, (how, step)
    finish(bench, "spared")


@pytest.mark.parametrize(("how", "steps"), [("ENOSPC", [25]), ("EIO", [12])])
def test_some_disk_errors_spare_the_old_city(bench, how, steps):
    spared(bench, how, steps)


@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGES)
def test_every_disk_error_spares_the_old_city(bench, how):
    spared(bench, how, range(1, 1000))
