"""Rooms as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.steps.address.room import floor_number, floor_of_room, parse_room


@pytest.mark.parametrize(
    ("text", "unit", "floor", "room"),
    [
        ("锦绣苑3幢2单元301室", "2单元", 3, "301室"),
        ("锦绣苑3幢二单元３０１", "二单元", 3, "301"),
        ("科创大厦A座1203", "A座", 12, "1203"),
        ("科创大厦A座12层1203号", "A座", 12, "1203号"),
        ("3号楼301", "", 3, "301"),
        ("3#301", "", 3, "301"),
        ("3幢2-301室", "2", 3, "301室"),
        ("3幢2-301", "2", 3, "301"),
        ("3幢1门502户", "1门", 5, "502户"),
        ("3幢负101室", "", -1, "负101室"),
        ("3幢5楼东2室", "", 0, "2室"),
        ("3幢三层5室", "", 3, "5室"),
        ("3幢4楼12室", "", 4, "12室"),
        ("5楼301室", "", 3, "301室"),
        ("3幢4层301室", "", 4, "301室"),
        ("3幢10101室", "", 0, "10101室"),
        ("司马坊14号801", "", 8, "801"),
        ("3幢0502室", "", 5, "0502室"),
        ("3幢301A室", "", 3, "301A室"),
    ],
)
def test_rooms(text, unit, floor, room):
    assert parse_room(text) == (unit, floor, room)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "中山路301号",
        "锦绣苑3幢",
        "3幢2单元",
        "3幢5层",
        "1203",
        "中山路1203",
        "3幢12",
        "传达室",
    ],
)
def test_no_rooms(text):
    assert parse_room(text) == ("", 0, "")


@given(st.integers(1, 99), st.integers(1, 99))
def test_each_room_is_on_its_floor(floor, door):
    room = f"{floor}{door:02d}"
    assert floor_of_room(room) == floor_of_room(f"{room}室") == floor
    assert parse_room(f"向阳路1号锦绣苑3幢2单元{room}室")[:2] == ("2单元", floor)
    assert floor_number(f"{floor}层") == floor == -floor_number(f"-{floor}")


@given(st.text(alphabet="负B-第层楼F室号单元座幢#0123456789一二十百A甲 ", max_size=12))
def test_nothing_breaks_it(text):
    found = parse_room(text)
    assert abs(found.floor) < 1000
    assert found.room or not (found.floor or found.unit)
    assert abs(floor_number(text)) < 1000
    assert abs(floor_of_room(text)) < 100
