"""The output folder: whole or not at all."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from cimkit.errors import StoreError
from cimkit.write import lock, store
from cimkit.write.store import Staging


def make_city(out, content=b"one", **options):
    with Staging(out, **options) as staging:
        staging.clear()
        staging.write("tiles/a.glb", content)
        staging.write("manifest.json", b"{}")
        staging.commit()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_city_appears_and_nothing_else_is_left(tmp_path):
    make_city(tmp_path / "city")
    assert names(tmp_path) == ["city"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def half_a_city(out):
    with Staging(out, overwrite=True) as staging:
        staging.write("tiles/a.glb", b"half")
        raise ZeroDivisionError


def test_an_error_leaves_the_old_city_and_no_scraps(tmp_path):
    make_city(tmp_path / "city")
    with pytest.raises(ZeroDivisionError):
        half_a_city(tmp_path / "city")
    assert names(tmp_path) == ["city"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


@pytest.mark.parametrize("exchange", [True, False])
def test_overwrite_replaces_the_whole(tmp_path, monkeypatch, exchange):
    make_city(tmp_path / "city")
    (tmp_path / "city" / "stale.txt").write_text("old")
    if not exchange:
        monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    make_city(tmp_path / "city", b"two", overwrite=True)
    assert names(tmp_path) == ["city"]
    assert names(tmp_path / "city") == ["manifest.json", "tiles"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"two"


def test_an_existing_city_is_kept_without_overwrite(tmp_path):
    make_city(tmp_path / "city")
    with pytest.raises(StoreError, match="--overwrite"):
        make_city(tmp_path / "city", b"two")
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def test_a_folder_that_is_no_city_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="is not a city"):
        make_city(tmp_path / "home", overwrite=True)
    assert names(tmp_path / "home") == ["thesis.txt"]


def test_the_root_of_a_disk_is_refused_in_words():
    with pytest.raises(StoreError, match="Name a folder in it"):
        Staging("/")


def test_an_empty_folder_becomes_a_city(tmp_path):
    (tmp_path / "city").mkdir()
    make_city(tmp_path / "city")
    assert "manifest.json" in names(tmp_path / "city")


def _hold(out, ready, leave):
    with Staging(out):
        ready.set()
        leave.wait(30)


def test_two_builds_cannot_write_one_city(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready, leave = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(tmp_path / "city", ready, leave))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(StoreError, match=rf"locked by pid {other.pid} on host .* since 20"):
            make_city(tmp_path / "city")
    finally:
        leave.set()
        other.join(30)
    make_city(tmp_path / "city")


def test_the_scraps_of_a_killed_build_do_not_get_into_the_next(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    (tmp_path / ".city.staging" / "city").mkdir(parents=True)
    (tmp_path / ".city.staging" / "city" / "half.bin").write_bytes(b"x")
    (tmp_path / ".city.staging" / "work").symlink_to(precious)
    (tmp_path / ".city.old").symlink_to(precious)
    others = [".city.staging-plan", ".city2.staging"]
    for other in others:
        (tmp_path / other).mkdir()
    make_city(tmp_path / "city")
    assert names(tmp_path) == [*others, "city", "precious"]
    assert names(tmp_path / "city") == ["manifest.json", "tiles"]
    assert names(precious) == ["thesis.txt"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_came_to_stand_at_out_during_the_build_is_kept(tmp_path, overwrite):
    def build_beside():
        with Staging(tmp_path / "city", overwrite=overwrite) as staging:
            staging.write("manifest.json", b"{}")
            (tmp_path / "city").mkdir()
            (tmp_path / "city" / "thesis.txt").write_text("years of work")
            staging.commit()

    with pytest.raises(StoreError, match="is not a city" if overwrite else "exists already"):
        build_beside()
    assert names(tmp_path) == ["city"]
    assert names(tmp_path / "city") == ["thesis.txt"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_link_stays_a_link(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    (tmp_path / "disk").mkdir()
    (tmp_path / "city").symlink_to(tmp_path / "disk" / "city")
    for content in (b"one", b"two"):
        make_city(tmp_path / "city", content, overwrite=True)
        assert (tmp_path / "city").is_symlink()
        assert names(tmp_path) == ["city", "disk"]
        assert names(tmp_path / "disk") == ["city"]
        assert (tmp_path / "disk" / "city" / "tiles" / "a.glb").read_bytes() == content


def test_a_register_inside_is_seen_through_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "city").symlink_to(tmp_path / "disk")
    staging = Staging(tmp_path / "city")
    for inside in (tmp_path / "city" / "r.gpkg", tmp_path / "disk" / "r.gpkg"):
        with pytest.raises(StoreError, match="inside the city folder"):
            staging.keep_out(inside)
    staging.keep_out(tmp_path / "r.gpkg")


def test_a_lock_that_its_owner_removes_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    """One build opens the lock file; the owner removes it; a third makes a new one."""
    real, path = lock._lock, tmp_path / ".city.lock"
    third: list[IO[str]] = []

    def take(file):
        if not third:
            path.unlink()
            third.append(path.open("a"))
            assert real(third[0])
        return real(file)

    monkeypatch.setattr(lock, "_lock", take)
    with pytest.raises(StoreError, match="another build"):
        make_city(tmp_path / "city")
    third[0].close()
    make_city(tmp_path / "city")
    assert names(tmp_path) == ["city"]


def test_a_lock_removed_before_it_is_held_is_no_lock(tmp_path, monkeypatch):
    real = lock._lock
    locked: list[bool] = []

    def take(file):
        if not locked:
            (tmp_path / ".city.lock").unlink()
        locked.append(real(file))
        return locked[-1]

    monkeypatch.setattr(lock, "_lock", take)
    with Staging(tmp_path / "city"):
        assert locked == [True, True]
        with pytest.raises(StoreError, match=f"locked by pid {os.getpid()}"):
            make_city(tmp_path / "city")


def test_a_commit_that_fails_between_two_renames_brings_the_old_back(tmp_path, monkeypatch):
    make_city(tmp_path / "city")
    monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    rename = Path.rename

    def fail_to_move_in(self, target):
        if "staging" in str(self):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_to_move_in)
    with pytest.raises(StoreError, match="Input/output error"):
        make_city(tmp_path / "city", b"two", overwrite=True)
    assert names(tmp_path) == ["city"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def test_a_death_between_two_renames_is_mended_by_the_next_start(tmp_path):
    make_city(tmp_path / "city")
    (tmp_path / "city").rename(tmp_path / ".city.old")
    with pytest.raises(StoreError, match="--overwrite"):
        make_city(tmp_path / "city", b"two")
    assert names(tmp_path) == ["city"]
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def fault(number):
    return OSError(number, os.strerror(number), "/disk/file")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (fault(errno.ENOSPC), "file: cannot be written .No space left on device.. Free space"),
        (fault(errno.EDQUOT), "Free space"),
        (fault(errno.EACCES), "permissions"),
        (fault(errno.EROFS), "permissions"),
        (OSError("100 requested and 0 written"), "100 requested and 0 written.. Free space"),
    ],
)
def test_a_full_or_forbidden_disk_says_so_and_spares_the_old(tmp_path, error, advice):
    make_city(tmp_path / "city")
    with pytest.raises(StoreError, match=advice), Staging(tmp_path / "city", overwrite=True):
        raise error
    assert (tmp_path / "city" / "tiles" / "a.glb").read_bytes() == b"one"


def test_an_error_after_the_commit_does_not_say_that_nothing_happened(tmp_path):
    def fail_late():
        with Staging(tmp_path / "city") as staging:
            staging.write("manifest.json", b"{}")
            staging.commit()
            raise fault(errno.ENOSPC)

    with pytest.raises(StoreError) as caught:
        fail_late()
    assert "untouched" not in str(caught.value)
    (note,) = caught.value.__notes__
    assert note.startswith(f"The new city stands in {tmp_path / 'city'}")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_array_on_a_full_disk(tmp_path):
    with pytest.raises(StoreError, match="requested"), Staging(tmp_path / "city"):
        np.zeros(100_000).tofile("/dev/full")


def test_no_space_is_freed_for_a_path_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        make_city(tmp_path / "file" / "city")
    assert "Free space" not in str(caught.value)


def test_other_errors_pass_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), Staging(tmp_path / "city"):
        (tmp_path / "missing").read_bytes()
    assert names(tmp_path) == []


def test_sums_name_every_file(tmp_path):
    with Staging(tmp_path / "city") as staging:
        staging.write("b/c.txt", b"abc")
        sums = staging.sums()
    sha = (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, "abc"
    )
    assert sums == {"b/c.txt": {"bytes": 3, "sha256": sha}}
