"""The lock names its owner, and outlives nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from cimkit.errors import StoreError
from cimkit.write.lock import Lock
from tests.conftest import ROOT

HOLD = """
import sys, time
from pathlib import Path
from cimkit.write.lock import Lock
lock = Lock(Path(sys.argv[1]))
lock.take(Path("city"))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def owner(tmp_path):
    """Another process that holds the lock."""
    path = tmp_path / ".city.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process, path
    process.kill()
    process.communicate()


def test_the_owner_is_named(owner, tmp_path):
    process, path = owner
    expected = rf"city: locked by pid {process.pid} on host .+ since \d{{4}}-.+ \(-c "
    with pytest.raises(StoreError, match=expected):
        Lock(path).take(tmp_path / "city")


def test_a_dead_owner_holds_nothing_and_is_known(owner, tmp_path):
    process, path = owner
    process.kill()
    process.wait()
    lock = Lock(path)
    lock.take(tmp_path / "city")
    assert lock.abandoned is not None
    assert lock.abandoned.pid == process.pid
    assert json.loads(path.read_text())["pid"] == os.getpid()
    lock.release()
    assert not path.exists()


def test_a_lock_file_that_cannot_be_removed_names_nobody(tmp_path, monkeypatch):
    """Windows removes no open file; its owner has not died."""

    def refuse(path, missing_ok):
        raise PermissionError

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    path = tmp_path / ".city.lock"
    for _ in range(2):
        lock = Lock(path)
        lock.take(tmp_path / "city")
        assert lock.abandoned is None
        lock.release()
    assert path.exists()


def test_on_windows_all_lock_the_same_byte_behind_the_text(tmp_path, monkeypatch):
    """There a lock is on bytes, from where the file stands: at its end, after opening."""
    locked = []

    def locking(handle, mode, n):
        locked.append((os.lseek(handle, 0, os.SEEK_CUR), n))
        if len(locked) > 1:
            raise PermissionError

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    path, lock = tmp_path / ".city.lock", Lock(tmp_path / ".city.lock")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        lock.take(tmp_path / "city")
        with pytest.raises(StoreError, match=f"locked by pid {os.getpid()} "):
            Lock(path).take(tmp_path / "city")
    assert len(locked) == 2
    assert locked[0] == locked[1] > (path.stat().st_size, 0)
    assert json.loads(path.read_text())["pid"] == os.getpid()
    lock.release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "x": 2}', "\x00"])
def test_a_lock_file_of_nonsense_is_an_abandoned_one(tmp_path, text):
    path = tmp_path / ".city.lock"
    path.write_text(text)
    lock = Lock(path)
    lock.take(tmp_path / "city")
    assert lock.abandoned is None
    lock.release()
    again = Lock(path)
    again.take(tmp_path / "city")
    assert again.abandoned is None
    again.release()
