"""Builds that do not end, and what the next one takes over; files and blocks set aside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import geopandas as gpd
import laspy
import pytest
from shapely import box

import cimkit
from cimkit import pipeline
from cimkit.errors import FormatError, StoreError
from cimkit.read.city import City
from cimkit.register import read_descent, store
from cimkit.tasks import make_block
from tests.conftest import ROOT
from tests.register.registers import dying_after_the_commit
from tests.test_pipeline import CRS, EAST, NORTH, build, small_inputs, tree_of
from tests.test_reading import write_dem

BLOCKS = {"block_size": 50.0}
"""Two blocks: buildings a and b, building c."""


def kill(*_, **__):
    raise KeyboardInterrupt


def stop_before_the_products(monkeypatch):
    def stop(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pipeline, "write_products", stop)


def parts_of(city):
    return {kind: (n["reused"], n["made"]) for kind, n in city.run["parts"].items()}


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """Inputs of a build that stopped when all its parts were finished."""
    keys = small_inputs(tmp_path / "in")
    with monkeypatch.context() as patch:
        stop_before_the_products(patch)
        with pytest.raises(StoreError, match="No space left") as caught:
            build(tmp_path / "city", keys, **BLOCKS)
    (note,) = caught.value.__notes__
    assert note.startswith("5 finished parts are kept in ")
    return keys


def test_the_next_build_goes_on(tmp_path, stopped):
    city = build(tmp_path / "city", stopped, **BLOCKS)
    assert parts_of(city) == {"clouds": (2, 2), "blocks": (2, 2), "tiles": (1, 1)}
    assert not (tmp_path / ".city.staging").exists()
    calm = build(tmp_path / "calm" / "city", stopped, **BLOCKS)
    assert parts_of(calm) == {"clouds": (0, 2), "blocks": (0, 2), "tiles": (0, 1)}
    assert tree_of(city.path) == tree_of(calm.path)


def test_a_changed_cloud_makes_only_its_blocks_anew(tmp_path, stopped):
    """The western cloud holds a and b; c stands on the eastern one alone."""
    cloud = laspy.read(stopped["points"][0])
    roof = (cloud.classification == 6) & (cloud.x < EAST + 10)
    z = cloud.z.copy()
    z[roof] += 3.0
    cloud.z = z
    cloud.write(stopped["points"][0])
    city = build(tmp_path / "city", stopped, **BLOCKS)
    assert parts_of(city) == {"clouds": (1, 2), "blocks": (1, 2), "tiles": (0, 1)}
    calm = build(tmp_path / "calm" / "city", stopped, **BLOCKS)
    assert tree_of(city.path) == tree_of(calm.path)


def test_a_changed_footprint_makes_only_its_block_anew(tmp_path, stopped):
    frame = gpd.read_file(stopped["footprints"])
    frame.loc[2, "geometry"] = frame.geometry[2].buffer(-1.0, join_style="mitre")
    frame.to_file(stopped["footprints"], layer="footprints")
    city = build(tmp_path / "city", stopped, **BLOCKS)
    reused = parts_of(city)
    assert reused["blocks"] == (1, 2)
    calm = build(tmp_path / "calm" / "city", stopped, **BLOCKS)
    assert tree_of(city.path) == tree_of(calm.path)


def test_another_parameter_keeps_what_does_not_depend_on_it(tmp_path, stopped):
    city = build(tmp_path / "city", stopped, roof_quantile=0.9, **BLOCKS)
    assert parts_of(city) == {"clouds": (2, 2), "blocks": (0, 2), "tiles": (0, 1)}


def test_nothing_stays_of_an_elevation_model_that_is_no_longer_given(tmp_path, monkeypatch):
    keys = small_inputs(tmp_path / "in")
    with monkeypatch.context() as patch:
        stop_before_the_products(patch)
        with pytest.raises(StoreError, match="No space left"):
            build(tmp_path / "city", keys, dem=write_dem(tmp_path / "dem.tif"))
    city = build(tmp_path / "city", keys)
    calm = build(tmp_path / "calm" / "city", keys)
    assert tree_of(city.path) == tree_of(calm.path)


def test_other_software_takes_over_nothing(tmp_path, stopped, monkeypatch):
    monkeypatch.setattr(pipeline, "software_fingerprint", lambda _: "another version")
    city = build(tmp_path / "city", stopped, **BLOCKS)
    assert parts_of(city) == {"clouds": (0, 2), "blocks": (0, 2), "tiles": (0, 1)}


def test_codes_that_were_noted_but_never_reserved_may_be_those_of_another_city(
    tmp_path, monkeypatch
):
    keys = {**small_inputs(tmp_path / "in"), "register": str(tmp_path / "register.gpkg")}
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "reserve", kill)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "city", keys)
    other = build(tmp_path / "other", keys)
    city = build(tmp_path / "city", keys)
    assert city.buildings.code.tolist() == other.buildings.code.tolist()
    assert city.run["codes"] == {"kept": 3, "new": 0, "retired": 0}


def test_codes_that_another_city_reserved_first_stay_its_own(tmp_path, monkeypatch):
    """Also while that city stands, but its codes are not active yet."""
    keys = {**small_inputs(tmp_path / "in"), "register": str(tmp_path / "register.gpkg")}
    reserve = store.reserve

    def lose_the_race(register, fresh, **options):
        patch.setattr(pipeline, "reserve", reserve)
        patch.setattr(pipeline, "activating", dying_after_the_commit)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "other", keys)
        reserve(register, fresh, **options)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "reserve", lose_the_race)
        with pytest.raises(StoreError, match="took the same codes meanwhile"):
            build(tmp_path / "city", keys)
    others = City(tmp_path / "other").buildings.code.tolist()
    city = build(tmp_path / "city", keys)
    assert not set(city.buildings.code.tolist()) & set(others)


def kill_the_second_block(task):
    """A task that brings down every worker, but without points goes well."""
    if "c" in task.footprints.building_id.tolist() and task.points is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return make_block(task)


def stumble_over_the_second_block(task):
    if "c" in task.footprints.building_id.tolist() and task.points is not None:
        raise IndexError("a fault of cimkit")
    return make_block(task)


@pytest.mark.parametrize(
    ("make", "words"),
    [(kill_the_second_block, "WorkerError"), (stumble_over_the_second_block, "IndexError")],
)
def test_a_poisoned_block_is_set_aside_and_the_city_stands(tmp_path, monkeypatch, make, words):
    keys = small_inputs(tmp_path / "in")
    monkeypatch.setattr(pipeline, "make_block", make)
    city = build(tmp_path / "city", keys, **BLOCKS)
    assert city.buildings.height_source.tolist() == ["points", "points", "floors"]
    (issue,) = [i for i in city.issues if i.code == "BLOCK_SET_ASIDE"]
    assert (issue.severity, words in issue.message) == ("ERROR", True)
    assert "its 1 buildings" in issue.message
    points = city.manifest["balances"][1]
    assert points["in_count"] == sum(points["parts"].values())
    assert points["parts"]["on no footprint, or in a block set aside"] > 0


@pytest.mark.parametrize("damage", ["header", "data"])
def test_a_bad_cloud_can_be_set_aside(tmp_path, damage):
    keys = small_inputs(tmp_path / "in")
    east = tmp_path / "in" / "east.laz"
    whole = bytearray(east.read_bytes())
    if damage == "header":
        whole = whole[:1000]
    else:
        whole[len(whole) // 2 : len(whole) // 2 + 200] = bytes(200)
    east.write_bytes(whole)
    with pytest.raises(FormatError, match="east"):
        build(tmp_path / "city", keys)
    city = build(tmp_path / "city", keys, on_bad_file="skip", **BLOCKS)
    assert city.buildings.height_source.tolist() == ["points", "points", "floors"]
    (issue,) = [i for i in city.issues if i.code == "FILE_SKIPPED"]
    assert issue.severity == "ERROR"
    assert "east.laz" in issue.id
    points = city.manifest["balances"][1]
    assert points["in_count"] == sum(points["parts"].values())
    assert (points["parts"]["in a file set aside"] > 0) == (damage == "data")


def test_ctrl_c_leaves_a_build_that_can_go_on(tmp_path):
    keys = small_inputs(tmp_path / "in")
    text = "\n".join(f"{name} = {value!r}".replace("'", '"') for name, value in keys.items())
    (tmp_path / "city.toml").write_text(text)
    command = [sys.executable, "-m", "cimkit", "build", str(tmp_path / "city"), "--job"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "city.toml")], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while not list(tmp_path.glob(".city.staging/work/*/clouds/*/done.json")):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    if process.returncode == 130:  # else it was already beyond the point of no return
        assert "interrupted; no city was left half written" in said
        assert "finished parts are kept in" in said
        assert not (tmp_path / "city").exists()
        assert parts_of(build(tmp_path / "city", keys))["clouds"][0] >= 1


def houses(folder, pieces):
    """A job of houses in a row of plots of 10 m, without points."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "footprints.gpkg"
    path.unlink(missing_ok=True)
    shapes = [box(EAST + 10 * a, NORTH, EAST + 10 * b, NORTH + 8) for a, b in pieces]
    names = [f"{a}-{b}" for a, b in pieces]
    gpd.GeoDataFrame({"bid": names}, geometry=shapes, crs="EPSG:4546").to_file(path)
    return {"footprints": str(path), "crs": CRS, "workers": 1, "undulation": 0.0}


def codes_of(city):
    names = city.buildings.building_id.tolist()
    return dict(zip(names, city.buildings.code.tolist(), strict=True))


def rebuild(out, keys, **changes):
    return cimkit.build(out, cimkit.Job.from_mapping({**keys, **changes}), overwrite=True)


def killed_after_the_commit(monkeypatch, out, keys, **changes):
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "activating", dying_after_the_commit)
        with pytest.raises(KeyboardInterrupt):
            rebuild(out, keys, **changes)
    return City(out)


def test_a_city_that_stands_keeps_its_codes_and_lineage_if_their_build_died(
    tmp_path, monkeypatch
):
    """The largest part has less than half of the whole: it must not look like a new one."""
    out, register = tmp_path / "city", tmp_path / "city.register.gpkg"
    whole = codes_of(rebuild(out, houses(tmp_path / "in", [(0, 7), (8, 9)])))
    parts = houses(tmp_path / "in", [(0, 2), (2, 4), (4, 7), (8, 9)])
    shown = codes_of(killed_after_the_commit(monkeypatch, out, parts))
    assert shown["4-7"] == whole["0-7"]
    again = houses(tmp_path / "in", [(0, 2), (2, 4), (4, 7), (8, 9)])
    assert codes_of(rebuild(out, again)) == shown
    found = set(zip(*(column.tolist() for column in read_descent(register)), strict=True))
    assert found == {(shown[part], whole["0-7"], "split") for part in ("0-2", "2-4")}


def test_what_another_build_has_changed_since_is_left_as_it_is(tmp_path, monkeypatch):
    keys = {"register": str(tmp_path / "r.gpkg")}
    one, other = tmp_path / "one", tmp_path / "other"
    first = houses(tmp_path / "in", [(0, 2), (4, 5)])
    shown = codes_of(killed_after_the_commit(monkeypatch, one, first, **keys))
    rebuild(one, first, **keys)
    grown = houses(tmp_path / "in", [(0, 2), (4, 5), (7, 8)])
    late = codes_of(killed_after_the_commit(monkeypatch, one, grown, **keys))
    rebuild(other, houses(tmp_path / "in", [(0, 3), (4, 5)]), **keys)
    assert store.read_register(keys["register"], CRS).polygons[0].area == 240.0
    now = houses(tmp_path / "in", [(1, 4), (4, 5), (7, 8)])
    final = codes_of(rebuild(one, now, **keys))
    assert (
        final["1-4"] == shown["0-2"]
    )  # like the house of the other build, not of the old city
    assert final["7-8"] == late["7-8"]
