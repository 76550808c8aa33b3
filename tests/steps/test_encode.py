"""Codes stay with their buildings, over any history of builds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import scale, translate

from cimkit.codes.beidou import beidou_code
from cimkit.codes.uic21 import mint, parse
from cimkit.errors import CrsError, LimitError, ParameterError
from cimkit.steps.encode import Encoding, encode
from cimkit.tables import Footprints
from cimkit.tables.coderecords import CodeRecords

CRS = "EPSG:4546"
NOTHING = CodeRecords.empty(CRS)
X0, Y0 = 500_000.0, 3_300_000.0


def house(x: float, y: float = 0, width: float = 10, depth: float = 10) -> shapely.Polygon:
    return shapely.box(X0 + x, Y0 + y, X0 + x + width, Y0 + y + depth)


def city(houses: dict[str, Any], crs: str = CRS) -> Footprints:
    return Footprints.from_polygons(list(houses), list(houses.values()), crs=crs)


def records(code: Any, building_id: Any, state: Any, polygons: Any) -> CodeRecords:
    return CodeRecords(code, building_id, state, polygons, CRS)


def settle(known: CodeRecords, build: Encoding, footprints: Footprints) -> CodeRecords:
    """What the register holds after a build that went well."""
    shapes = dict(zip(build.codes.tolist(), footprints.polygons(), strict=True))
    ids = dict(zip(build.codes.tolist(), footprints.building_id.tolist(), strict=True))
    gone = set(build.retired.tolist())
    rows = []
    for table in (known, build.fresh):
        for code, building_id, state, shape in zip(
            table.code.tolist(),
            table.building_id.tolist(),
            table.state.tolist(),
            table.polygons,
            strict=True,
        ):
            if code in shapes:
                rows.append((code, ids[code], "active", shapes[code]))
            else:
                rows.append((code, building_id, "retired" if code in gone else state, shape))
    return records(*zip(*rows, strict=True))


def crash(known: CodeRecords, build: Encoding) -> CodeRecords:
    """What the register holds after a build that died once its codes were reserved."""
    return records(
        [*known.code.tolist(), *build.fresh.code.tolist()],
        [*known.building_id.tolist(), *build.fresh.building_id.tolist()],
        [*known.state.tolist(), *build.fresh.state.tolist()],
        [*known.polygons, *build.fresh.polygons],
    )


def serials(codes: Any) -> list[int]:
    return [parse(code).serial for code in codes.tolist()]


def built(houses: dict[str, Any]) -> tuple[CodeRecords, dict[str, str]]:
    """Register and code by identifier after a first build."""
    build = encode(city(houses), NOTHING)
    codes = dict(zip(houses, build.codes.tolist(), strict=True))
    return settle(NOTHING, build, city(houses)), codes


def test_first_build_counts_in_the_order_of_the_grid():
    houses = {str(i): house(37.0 * (i % 5), 53.0 * (i // 5)) for i in range(20)}
    build = encode(city(houses), NOTHING, division="421002001")
    assert sorted(serials(build.codes)) == list(range(1, 21))
    assert {code[:15] for code in build.codes.tolist()} == {"421002990100001"}
    frame = city(houses).to_geopandas()
    inside = frame.representative_point().to_crs("EPSG:4490")
    cells = beidou_code(inside.x.round(9), inside.y.round(9))
    assert np.argsort(cells).tolist() == np.argsort(build.codes).tolist()
    assert build.fresh.code.tolist() == sorted(build.codes.tolist())
    assert set(build.fresh.state.tolist()) == {"reserved"}
    by_id = dict(zip(houses, build.codes.tolist(), strict=True))
    assert [by_id[key] for key in build.fresh.building_id.tolist()] == build.fresh.code.tolist()
    assert shapely.equals(
        build.fresh.polygons, [houses[key] for key in build.fresh.building_id.tolist()]
    ).all()
    assert not len(build.retired)
    assert not build.issues


def test_stacked_buildings_go_by_area_then_identifier():
    tower = house(0)
    build = encode(city({"b": tower, "a": tower, "podium": scale(tower, 2, 2)}), NOTHING)
    assert serials(build.codes) == [2, 1, 3]


def test_unknown_division_is_told_once():
    build = encode(city({"a": house(0), "b": house(50)}), NOTHING)
    assert [issue.code for issue in build.issues] == ["DIVISION_UNKNOWN"]
    assert build.codes.tolist()[0].startswith("000000990100000")


def test_building_again_changes_nothing():
    houses = {"a": house(0), "b": house(10), "c": house(40, 30)}
    known, codes = built(houses)
    again = encode(city(houses), known)
    assert again.codes.tolist() == list(codes.values())
    assert (len(again.fresh), len(again.retired)) == (0, 0)


def test_edited_outlines_and_new_identifiers_keep_the_code():
    known, codes = built({"a": house(0), "b": house(10), "c": house(20)})
    edited = {"7": translate(house(10), 1, -1), "8": house(0, width=13), "9": house(20, 0, 8)}
    build = encode(city(edited), known)
    assert build.codes.tolist() == [codes["b"], codes["a"], codes["c"]]


def test_the_best_pair_wins():
    known, codes = built({"a": house(0), "b": house(4)})
    build = encode(city({"b": house(1), "a": house(3)}), known)
    assert build.codes.tolist() == [codes["a"], codes["b"]]


def test_equal_pairs_go_to_the_smaller_code():
    known, codes = built({"a": house(0), "b": house(0)})
    build = encode(city({"x": house(0)}), known)
    assert build.codes.tolist() == [min(codes.values())]
    assert build.retired.tolist() == [max(codes.values())]


def test_the_same_identifier_counts_where_the_outlines_share_ground():
    known, codes = built({"a": house(0), "b": house(100)})
    enlarged = {"a": house(0, 0, 30, 30), "b": house(100)}
    assert encode(city(enlarged), known).codes.tolist() == list(codes.values())
    renamed = {"z": house(0, 0, 30, 30), "b": house(100)}
    assert serials(encode(city(renamed), known).codes) == [3, 2]


def test_an_identifier_alone_or_an_overlapping_wall_is_not_enough():
    known, codes = built({"1": house(0), "2": house(9.9), "far": house(500)})
    # Feature numbers moved up by one: "1" now names the former neighbour's new annex.
    build = encode(city({"1": house(9.9, -9.9), "2": house(300), "far": house(500)}), known)
    assert serials(build.codes) == [4, 5, parse(codes["far"]).serial]


def test_a_vanished_building_is_retired_and_its_code_never_given_to_another():
    houses = {"a": house(0), "b": house(50), "c": house(100)}
    known, codes = built(houses)
    changed = {"a": house(0), "c": house(100), "new": house(900)}
    build = encode(city(changed), known)
    assert build.retired.tolist() == [codes["b"]]
    assert serials(build.codes)[2] == 4
    known = settle(known, build, city(changed))
    back = encode(city(houses), known)
    assert back.codes.tolist() == list(codes.values())
    assert not len(back.fresh)


def test_active_codes_come_before_retired_ones():
    known, codes = built({"a": house(0), "b": house(1)})
    retired = known.code == codes["a"]
    known = CodeRecords(
        known.code,
        known.building_id,
        np.where(retired, "retired", "active"),
        known.polygons,
        CRS,
    )
    assert encode(city({"a": house(0)}), known).codes.tolist() == [codes["b"]]


def test_another_district_retires_nothing_here():
    known, _ = built({"a": house(0), "b": house(50)})
    elsewhere = encode(city({"a": house(5000), "b": house(5050)}), known)
    assert not len(elsewhere.retired)
    assert sorted(serials(elsewhere.codes)) == [3, 4]


def test_reserved_codes_are_never_given_out():
    houses = {"a": house(0), "b": house(50)}
    known = crash(NOTHING, encode(city(houses), NOTHING))
    again = encode(city(houses), known)
    assert serials(again.codes) == [3, 4]
    assert not len(again.retired)


def test_each_prefix_has_its_own_serials_and_borders_may_move():
    known, codes = built({"a": house(0)})
    build = encode(city({"a": house(0), "b": house(50)}), known, division="421002001")
    assert build.codes.tolist() == [codes["a"], mint("421002", "990100", "001", 1)]


def test_serials_run_out():
    last = mint("421002", "990100", "001", 999_999)
    known = records([last], ["x"], ["retired"], [house(900)])
    with pytest.raises(
        LimitError, match="6 digits of serial behind '421002990100001' are used up"
    ):
        encode(city({"a": house(0)}), known, division="421002001")
    assert serials(encode(city({"a": house(0)}), known, division="421002").codes) == [1]


def test_codes_survive_another_crs():
    houses = {"a": house(0), "b": house(10), "c": house(40, 30)}
    known, codes = built(houses)
    moved = Footprints.from_geopandas(city(houses).to_geopandas().to_crs("EPSG:4547"))
    build = encode(moved, known)
    assert build.codes.tolist() == list(codes.values())
    assert encode(city(houses, f"{CRS}+5737"), known).codes.tolist() == list(codes.values())


def test_broken_known_outlines_do_not_stop_a_build():
    bow = shapely.Polygon([(X0, Y0), (X0 + 10, Y0 + 10), (X0 + 10, Y0), (X0, Y0 + 10)])
    known = records([mint("000000", "990100", "000", 1)], ["a"], ["active"], [bow])
    assert serials(encode(city({"a": house(0)}), known).codes) == [1]


def test_no_footprints():
    known, _ = built({"a": house(0)})
    build = encode(city({}), known)
    assert (len(build.codes), len(build.fresh), len(build.retired)) == (0, 0, 0)


def test_no_crs():
    with pytest.raises(CrsError, match="footprints: have no CRS"):
        encode(city({"a": house(0)}, crs=""), NOTHING)


def test_bad_segment():
    with pytest.raises(ParameterError, match="division: 6, 9 or 12 digits"):
        encode(city({"a": house(0)}), NOTHING, division="1")


@given(st.permutations(range(12)), st.permutations(range(12)))
@settings(max_examples=25, deadline=None)
def test_order_of_rows_changes_nothing(footprint_order: list[int], record_order: list[int]):
    houses = {str(i): house(7.0 * (i % 4), 7.0 * (i // 4)) for i in range(12)}
    known, _ = built(houses)
    changed = {key: translate(shape, 2.5, 1) for key, shape in houses.items()}
    del changed["5"]
    changed["new"] = house(300)
    expected = encode(city(changed), known)
    rows = np.array(footprint_order)
    build = encode(city(changed).take(rows), known.take(np.array(record_order)))
    assert build.codes.tolist() == expected.codes[rows].tolist()
    assert build.fresh.code.tolist() == expected.fresh.code.tolist()
    assert build.fresh.building_id.tolist() == expected.fresh.building_id.tolist()
    assert build.retired.tolist() == expected.retired.tolist()


builds = st.lists(
    st.tuples(
        st.lists(st.integers(0, 7), min_size=1, unique=True),  # plots that hold a building
        st.booleans(),  # the build dies before its codes are active
        st.booleans(),  # identifiers are feature numbers
    ),
    min_size=1,
    max_size=7,
)


@given(builds, st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_no_code_ever_names_two_buildings(history: list[Any], seed: int):
    random = np.random.default_rng(seed)
    known, plot_of, code_of = NOTHING, dict[str, int](), dict[int, str]()
    for plots, dies, numbered in history:
        shift = random.uniform(-0.8, 0.8, (len(plots), 2))
        shapes = [
            translate(house(10.0 * (p % 4), 30.0 * (p // 4)), *by)
            for p, by in zip(plots, shift, strict=True)
        ]
        ids = [str(i if numbered else 100 + p) for i, p in enumerate(plots)]
        footprints = city(dict(zip(ids, shapes, strict=True)))
        build = encode(footprints, known)
        assert len(set(build.codes.tolist())) == len(plots)
        for plot, code in zip(plots, build.codes.tolist(), strict=True):
            assert plot_of.setdefault(code, plot) == plot
            if not dies:
                assert code_of.setdefault(plot, code) == code
        known = crash(known, build) if dies else settle(known, build, footprints)
        assert set(plot_of) <= set(known.code.tolist())
