"""The register as a file: bytes, disks, other programs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest

import cimkit.register.geopackage as geopackage
from cimkit.errors import StoreError
from cimkit.register import activate, read_register, reserve
from cimkit.steps.encode import encode
from cimkit.tables import Footprints
from cimkit.tables.coderecords import CodeRecords
from tests.register.registers import CRS, NO_CODES, build, city, states


@pytest.fixture
def register(tmp_path: Path) -> Path:
    """A register of three active codes."""
    path = tmp_path / "城市#1.register.gpkg"
    build(path, city([0, 1, 2]))
    return path


def test_no_file_is_an_empty_register(tmp_path: Path):
    path = tmp_path / "city.register.gpkg"
    assert len(read_register(path, CRS)) == 0
    assert not path.exists()
    path.touch()
    assert len(read_register(path, CRS)) == 0
    build(path, city([0]))
    assert list(states(path).values()) == ["active"]


def test_gis_programs_open_it(register: Path):
    build(register, city([0, 2, 5]))
    frame = pyogrio.read_dataframe(register, layer="codes")
    assert frame.columns.tolist() == ["code", "building_id", "state", "geometry"]
    assert sorted(frame["state"]) == ["active", "active", "active", "retired"]
    assert frame.crs == "EPSG:4546"
    assert frame.geometry.area.tolist() == [128.0] * 4
    info = pyogrio.read_info(register, layer="codes", force_total_bounds=True)
    assert info["geometry_type"] == "Polygon"
    np.testing.assert_array_equal(info["total_bounds"], frame.total_bounds)
    layers = pyogrio.list_layers(register).tolist()
    tables = [
        "lineage",
        "reviews",
        "history",
        "addresses",
        "links",
        "address_history",
        "claims",
    ]
    assert layers == [["codes", "Polygon"], *([name, None] for name in tables)]
    history = pyogrio.read_dataframe(register, layer="history")
    changes = history["change"].value_counts().to_dict()
    assert changes == {"reserved": 4, "activated": 4, "retired": 1}


def test_a_crs_without_a_number_is_kept(tmp_path: Path):
    path = tmp_path / "city.register.gpkg"
    local = "+proj=tmerc +lon_0=112.25 +x_0=500000 +ellps=GRS80 +units=m"
    codes = build(path, city([0, 1], local)).codes
    assert "112.25" in pyogrio.read_info(path, layer="codes")["crs"]
    assert build(path, city([0, 1], local)).codes.tolist() == codes.tolist()


def test_equal_builds_leave_equal_bytes(tmp_path: Path):
    paths = [tmp_path / name / "city.register.gpkg" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        build(path, city([0, 1, 2]))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    for path in paths:
        build(path, city([0, 2, 3]))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(os.listdir(tmp_path / "a")) == ["city.register.gpkg"]


def test_another_crs_keeps_the_codes(register: Path):
    codes = build(register, city([0, 1, 2])).codes.tolist()
    frame = city([0, 1, 2, 7]).to_geopandas().to_crs("EPSG:4547")
    build(register, Footprints.from_geopandas(frame))
    assert pyogrio.read_info(register, layer="codes")["crs"] == "EPSG:4546"
    again = build(register, city([0, 1, 2, 7]))
    assert again.codes.tolist()[:3] == codes
    assert not len(again.fresh)


DYING = """
import os, sys
from cimkit.register import open_register
with open_register(sys.argv[1]).session(write=True) as session:
    connection = session.connection
    connection.execute("PRAGMA cache_size = 2")
    connection.execute("UPDATE codes SET state = 'retired'")
    for i in range(2000):
        connection.execute(
            "INSERT INTO codes (geom, code, building_id, state) "
            "SELECT geom, ?, building_id, 'active' FROM codes LIMIT 1", (f"{i:021d}",))
    os._exit(9)
"""


def test_a_process_that_dies_while_writing_changes_nothing(register: Path):
    before, size = states(register), register.stat().st_size
    done = subprocess.run([sys.executable, "-c", DYING, str(register)], check=False)
    assert done.returncode == 9
    assert register.stat().st_size > size  # half of it had reached the file
    assert states(register) == before


def test_a_lock_that_stays_is_told(register: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(geopackage, "LOCK_WAIT_S", 0.05)
    fresh = encode(city([9]), read_register(register, CRS)).fresh
    with closing(sqlite3.connect(register, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for act in (lambda: reserve(register, fresh), lambda: read_register(register, CRS)):
            with pytest.raises(StoreError, match="another program is writing"):
                act()


def test_activation_without_a_register_is_refused(tmp_path: Path):
    path = tmp_path / "none.gpkg"
    with pytest.raises(StoreError, match="no code register"):
        activate(path, NO_CODES, city([]), NO_CODES)


def test_a_missing_folder_is_told(tmp_path: Path):
    path = tmp_path / "away" / "city.register.gpkg"
    for act in (
        lambda: read_register(path, CRS),
        lambda: reserve(path, CodeRecords.empty(CRS)),
        lambda: activate(path, NO_CODES, city([]), NO_CODES),
    ):
        with pytest.raises(StoreError, match=r"away does not exist. Make it first"):
            act()


def damage(path: Path, how: str) -> None:
    """Make something else of a register."""
    if how == "garbage":
        path.write_bytes(b"PK\x03\x04" * 5000)
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-8192])
    elif how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "other layer":
        frame = city([0]).to_geopandas()
        path.unlink()
        pyogrio.write_dataframe(frame, path, layer="buildings", driver="GPKG")
    else:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(how)


@pytest.mark.parametrize(
    "how",
    [
        "garbage",
        "truncated",
        "other layer",
        "DROP TABLE gpkg_geometry_columns",
        "UPDATE codes SET geom = x'00'",
        "UPDATE codes SET geom = 'text'",
        "UPDATE codes SET geom = substr(geom, 1, 60)",
        "UPDATE codes SET code = '42100299O100001000123' WHERE fid = 1",
        "ALTER TABLE codes DROP COLUMN state",
    ],
)
def test_damaged_or_foreign_files_are_refused_and_left_alone(register: Path, how: str):
    damage(register, how)
    before = register.read_bytes()
    with pytest.raises(StoreError, match=r"register.gpkg: .*Bring it back from a backup"):
        read_register(register, CRS)
    assert register.read_bytes() == before


def test_foreign_files_are_not_written_to(register: Path):
    damage(register, "other layer")
    before = register.read_bytes()
    with pytest.raises(StoreError, match="has no layer 'codes'"):
        reserve(register, encode(city([0]), CodeRecords.empty(CRS)).fresh)
    assert register.read_bytes() == before


def test_a_folder_in_its_place_is_told(register: Path):
    damage(register, "folder")
    with pytest.raises(StoreError, match="cannot be opened"):
        read_register(register, CRS)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user with limits")
def test_a_file_that_cannot_be_written_is_told(register: Path):
    fresh = encode(city([9]), read_register(register, CRS)).fresh
    register.chmod(0o444)
    with pytest.raises(StoreError, match="Change its permissions"):
        reserve(register, fresh)


def test_outlines_edited_by_other_programs_are_read(register: Path):
    """Some leave the box out of the geometry header, which the standard allows."""
    with closing(sqlite3.connect(register)) as connection, connection:
        connection.execute(
            "UPDATE codes SET geom = CAST(substr(geom, 1, 3) || x'01' || substr(geom, 5, 4) "
            "|| substr(geom, 41) AS BLOB)"
        )
    assert len(build(register, city([0, 1, 2])).fresh) == 0
