"""Every call that touches the disk fails once, each in five ways; the old city stands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cimkit.errors import StoreError
from cimkit.write import reservation, store
from cimkit.write.partitions import keep
from cimkit.write.reservation import note_codes, read_note
from cimkit.write.store import Staging
from tests.crash.dying_build import Steps

DAMAGES = ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "EINTR")
VERSIONS = "v1"


class Faults:
    """Lets the N-th call within a folder fail; audit hooks stay for good, so there is one."""

    def __init__(self) -> None:
        self.steps: Steps | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.steps is not None:
            self.steps.audit(event, arguments)

    def run(self, how: str, at: int, folder: Path, action: Callable[[], None]) -> bool:
        """Whether the fault came."""
        self.steps = Steps(how, at, str(folder))
        try:
            action()
        finally:
            steps, self.steps = self.steps, None
        return steps.n >= at


@pytest.fixture(scope="module")
def faults():
    return Faults()


@pytest.fixture
def place(tmp_path, monkeypatch, faults):
    """A folder whose fsync and exchange count as steps too."""
    for room in (store, reservation):
        monkeypatch.setattr(room, "sync", stepping(faults, "sync", lambda path: None))
    monkeypatch.setattr(store, "_exchange", stepping(faults, "exchange", store._exchange))
    return tmp_path


def stepping(faults, name, function):
    def stepped(*values):
        if faults.steps is not None:
            faults.steps.step(f"{name} {values[0]}")
        return function(*values)

    return stepped


def make_city(out, content):
    """All that a build does to the disk, but GDAL and the register."""
    with Staging(out, overwrite=True) as staging:
        noted = read_note(staging, f"{out}.register.gpkg")
        work = staging.work(VERSIONS, ["tiles"])
        part = keep(work / "tiles", content, lambda p: Path(p, "a.glb").write_text(content), {})
        staging.clear()
        staging.adopt("tiles/a.glb", f"{part.folder}/a.glb")
        staging.write("manifest.json", content.encode())
        with note_codes(staging, f"{out}.register.gpkg", noted, ["1"]):
            pass  # here a build reserves them
        staging.commit()


def content_of(out):
    return (out / "manifest.json").read_text(), (out / "tiles" / "a.glb").read_text()


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("how", DAMAGES)
def test_every_failing_call_leaves_one_whole_city(place, faults, monkeypatch, how, exchange):
    if not exchange:
        monkeypatch.setattr(store, "_exchange", lambda one, other: False)
    out, n, came = place / "city", 0, True
    make_city(out, "old 0")
    while came:
        n += 1
        new = f"new {n}"
        try:
            came = faults.run(how, n, place, lambda: make_city(out, new))  # noqa: B023
        except StoreError:
            there = content_of(out) if out.exists() else None
            assert there in (None, (f"old {n - 1}",) * 2)
            assert there or not exchange  # None only between two renames
        else:
            assert content_of(out) == (new, new)
        make_city(out, f"old {n}")  # the next start mends what is to be mended
        assert content_of(out) == (f"old {n}",) * 2
        assert {p.name for p in place.iterdir()} == {"city"}
    assert n > 20


def test_nothing_is_shown_before_it_is_on_the_disk(tmp_path, monkeypatch):
    """A power cut may take whatever was not forced to the disk."""
    done: list[tuple[str, str]] = []
    real = store.sync, store._exchange

    def sync(path):
        done.append(("sync", os.path.relpath(path, tmp_path)))
        real[0](path)

    def exchange(one, other):
        done.append(("exchange", ""))
        return real[1](one, other)

    monkeypatch.setattr(store, "sync", sync)
    monkeypatch.setattr(store, "_exchange", exchange)
    make_city(tmp_path / "city", "one")
    done.clear()
    make_city(tmp_path / "city", "two")
    at = done.index(("exchange", ""))
    before = {path for kind, path in done[:at] if kind == "sync"}
    city = ".city.staging/city"
    files = {"manifest.json", "tiles/a.glb", "tiles"}
    assert before >= {city, *(f"{city}/{name}" for name in files)}
    assert done[at + 1 :] == [("sync", ".")]


@pytest.mark.parametrize("lost", [".", "manifest.json", "tiles/a.glb"])
def test_parts_that_a_power_cut_emptied_are_made_again(tmp_path, lost):
    """Parts are not forced to the disk; their sums tell."""
    with Staging(tmp_path / "city") as staging:  # left without a commit
        work = staging.work(VERSIONS, ["tiles"])
        part = keep(work / "tiles", "one", lambda p: Path(p, "a.glb").write_text("one"), {})
    for path in Path(part.folder).iterdir():
        if lost == "." or path.name == "a.glb":
            path.write_bytes(b"")
    make_city(tmp_path / "city", "one")
    assert content_of(tmp_path / "city") == ("one", "one")
    assert {p.name for p in tmp_path.iterdir()} == {"city"}
