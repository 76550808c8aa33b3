"""The register outlives builds, crashes, other builds and changes of CRS, whatever keeps it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

from cimkit.codes.uic21 import mint
from cimkit.errors import CrsError, StoreError
from cimkit.register import activate, read_register, reserve
from cimkit.steps.encode import encode
from cimkit.tables import Footprints
from tests.register.registers import CRS, NO_CODES, build, city, states


def test_what_was_written_comes_back(register: str):
    records = read_register(register, CRS)
    assert records.crs == CRS
    assert records.code.tolist() == sorted(records.code.tolist())
    assert sorted(records.building_id.tolist()) == ["号0", "号1", "号2"]
    by_id = dict(zip(records.building_id.tolist(), records.polygons, strict=True))
    for building_id, shape in zip(
        city([0, 1, 2]).building_id.tolist(), city([0, 1, 2]).polygons(), strict=True
    ):
        assert shapely.equals_exact(by_id[building_id], shape)


def test_a_crash_leaves_codes_that_nobody_gets(register: str):
    before = states(register)
    dead = build(register, city([0, 1, 2, 3]), dies=True)
    lost = dead.fresh.code.tolist()
    assert states(register) == before | dict.fromkeys(lost, "reserved")
    alive = build(register, city([0, 1, 2, 3]))
    assert not set(alive.fresh.code.tolist()) & set(lost)
    assert alive.codes.tolist()[:3] == dead.codes.tolist()[:3]
    assert states(register)[lost[0]] == "reserved"


def test_codes_retire_and_come_back(register: str):
    first = dict(zip(range(3), build(register, city([0, 1, 2])).codes.tolist(), strict=True))
    assert build(register, city([0, 2])).retired.tolist() == [first[1]]
    assert states(register)[first[1]] == "retired"
    assert build(register, city([2, 1])).codes.tolist() == [first[2], first[1]]
    assert states(register)[first[1]] == "active"


def test_activation_follows_the_outline(register: str):
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


def test_a_crs_of_unknown_datum_is_refused(register: str):
    with pytest.raises(CrsError, match="same datum as the code register"):
        read_register(register, "EPSG:2383")


def test_the_second_of_two_builds_mints_nothing_twice(register: str):
    known = read_register(register, CRS)
    one, two = encode(city([0, 1, 2, 3]), known), encode(city([0, 1, 2, 4]), known)
    reserve(register, one.fresh)
    before = states(register)
    with pytest.raises(
        StoreError, match=r"(?i)unique.*another build took the same codes.*Run again"
    ):
        reserve(register, two.fresh)
    assert states(register) == before
    assert not set(build(register, city([0, 1, 2, 4])).fresh.code.tolist()) & set(before)


RIVAL = """
import sys
from cimkit.register import read_register, reserve
from cimkit.steps.encode import encode
from tests.register.registers import CRS, city
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


def test_two_processes_at_once(register: str):
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL, register, str(place)],
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


def test_codes_that_the_register_does_not_know_are_refused(register: str):
    before = states(register)
    foreign = np.array(
        [mint("000000", "990100", "000", i) for i in (1, 77)], dtype=NO_CODES.dtype
    )
    with pytest.raises(StoreError, match="1 of 2 codes of the city are not in it"):
        activate(register, foreign, city([1, 2]), NO_CODES)
    assert states(register) == before
