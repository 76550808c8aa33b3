"""The register outlives builds, crashes, other builds and changes of CRS."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import cimkit.register.geopackage as geopackage
from cimkit.codes.uic21 import mint
from cimkit.errors import CrsError, StoreError
from cimkit.register.geopackage import activate, read_register, reserve
from cimkit.steps.encode import Encoding, encode
from cimkit.tables import Footprints
from cimkit.tables.coderecords import CodeRecords

CRS = "EPSG:4546+5737"
NO_CODES = np.array([], dtype=np.dtypes.StringDType())


def city(places: list[int], crs: str = CRS) -> Footprints:
    """Houses with a courtyard, 20 m apart."""
    shapes = [
        shapely.box(5e5 + x, 33e5, 5e5 + x + 12, 33e5 + 12).difference(
            shapely.box(5e5 + x + 4, 33e5 + 4, 5e5 + x + 8, 33e5 + 8)
        )
        for x in (20 * place for place in places)
    ]
    return Footprints.from_polygons([f"号{place}" for place in places], shapes, crs=crs)


def build(path: Path, footprints: Footprints, *, dies: bool = False) -> Encoding:
    """One build: read, encode, reserve, (write the city), activate."""
    result = encode(footprints, read_register(path, footprints.crs))
    reserve(path, result.fresh)
    if not dies:
        activate(path, result.codes, footprints, result.retired)
    return result


def states(path: Path) -> dict[str, str]:
    records = read_register(path, CRS)
    return dict(zip(records.code.tolist(), records.state.tolist(), strict=True))


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


def test_what_was_written_comes_back(register: Path):
    records = read_register(register, CRS)
    assert records.crs == CRS
    assert records.code.tolist() == sorted(records.code.tolist())
    assert sorted(records.building_id.tolist()) == ["号0", "号1", "号2"]
    by_id = dict(zip(records.building_id.tolist(), records.polygons, strict=True))
    for building_id, shape in zip(
        city([0, 1, 2]).building_id.tolist(), city([0, 1, 2]).polygons(), strict=True
    ):
        assert shapely.equals_exact(by_id[building_id], shape)


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
    tables = ["lineage", "reviews", "history"]
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


def test_a_crash_leaves_codes_that_nobody_gets(register: Path):
    before = states(register)
    dead = build(register, city([0, 1, 2, 3]), dies=True)
    lost = dead.fresh.code.tolist()
    assert states(register) == before | dict.fromkeys(lost, "reserved")
    alive = build(register, city([0, 1, 2, 3]))
    assert not set(alive.fresh.code.tolist()) & set(lost)
    assert alive.codes.tolist()[:3] == dead.codes.tolist()[:3]
    assert states(register)[lost[0]] == "reserved"


def test_codes_retire_and_come_back(register: Path):
    first = dict(zip(range(3), build(register, city([0, 1, 2])).codes.tolist(), strict=True))
    assert build(register, city([0, 2])).retired.tolist() == [first[1]]
    assert states(register)[first[1]] == "retired"
    assert build(register, city([2, 1])).codes.tolist() == [first[2], first[1]]
    assert states(register)[first[1]] == "active"


def test_activation_follows_the_outline(register: Path):
    """Small edits may add up: each build compares with the last one."""
    codes = build(register, city([0, 1, 2])).codes.tolist()
    for step in range(1, 6):
        moved = city([0, 1, 2])
        moved = Footprints.from_polygons(
            [f"{step}-{i}" for i in range(3)],
            shapely.transform(moved.polygons(), lambda xy, s=step: np.add(xy, (0, 1.5 * s))),
            crs=CRS,
        )
        assert build(register, moved).codes.tolist() == codes
    assert set(read_register(register, CRS).building_id.tolist()) == {"5-0", "5-1", "5-2"}


def test_another_crs_keeps_the_codes(register: Path):
    codes = build(register, city([0, 1, 2])).codes.tolist()
    frame = city([0, 1, 2, 7]).to_geopandas().to_crs("EPSG:4547")
    build(register, Footprints.from_geopandas(frame))
    assert pyogrio.read_info(register, layer="codes")["crs"] == "EPSG:4546"
    again = build(register, city([0, 1, 2, 7]))
    assert again.codes.tolist()[:3] == codes
    assert not len(again.fresh)


def test_a_crs_of_unknown_datum_is_refused(register: Path):
    with pytest.raises(CrsError, match="same datum as the code register"):
        read_register(register, "EPSG:2383")


def test_the_second_of_two_builds_mints_nothing_twice(register: Path):
    known = read_register(register, CRS)
    one, two = encode(city([0, 1, 2, 3]), known), encode(city([0, 1, 2, 4]), known)
    reserve(register, one.fresh)
    before = states(register)
    with pytest.raises(
        StoreError, match=r"UNIQUE.*another build took the same codes.*Run again"
    ):
        reserve(register, two.fresh)
    assert states(register) == before
    assert not set(build(register, city([0, 1, 2, 4])).fresh.code.tolist()) & set(before)


RIVAL = """
import sys
from tests.register.test_geopackage import CRS, city, encode, read_register, reserve
from cimkit.errors import StoreError
path, place = sys.argv[1], int(sys.argv[2])
fresh = encode(city([place]), read_register(path, CRS)).fresh
print("ready", flush=True)
sys.stdin.readline()
try:
    reserve(path, fresh)
    print(*fresh.code.tolist())
except StoreError as error:
    print("refused")
"""


def test_two_processes_at_once(register: Path):
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL, str(register), str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for place in (10, 20)
    ]
    for rival in rivals:
        assert rival.stdout is not None
        assert rival.stdout.readline() == "ready\n"
    answers = [rival.communicate("\n")[0].strip() for rival in rivals]
    assert sorted(answers) == [mint("000000", "990100", "000", 4), "refused"]
    assert len(states(register)) == 4


DYING = """
import os, sys
from pathlib import Path
from cimkit.register.geopackage import _transaction
with _transaction(Path(sys.argv[1]), "BEGIN IMMEDIATE") as connection:
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


def test_codes_that_the_register_does_not_know_are_refused(register: Path):
    before = states(register)
    foreign = np.array(
        [mint("000000", "990100", "000", i) for i in (1, 77)], dtype=NO_CODES.dtype
    )
    with pytest.raises(StoreError, match="1 of 2 codes of the city are not in it"):
        activate(register, foreign, city([1, 2]), NO_CODES)
    assert states(register) == before


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


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 9), min_size=1, unique=True), st.booleans()),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=20, deadline=None)
def test_histories(tmp_path_factory: pytest.TempPathFactory, history: list[Any]):
    folder = tmp_path_factory.mktemp("history")
    path, place_of, rows = folder / "city.register.gpkg", dict[Any, int](), dict[str, str]()
    for places, dies in history:
        codes = build(path, city(places), dies=dies).codes.tolist()
        for place, code in zip(places, codes, strict=True):
            assert place_of.setdefault(code, place) == place
        now = states(path)
        assert set(rows) <= set(now)
        assert dies or {now[code] for code in codes} == {"active"}
        assert not any(rows[code] == "reserved" != now[code] for code in rows)
        rows = now
    shutil.rmtree(folder)
