from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.errors import ParameterError, TableError
from cimkit.steps.link import link
from cimkit.tables import Addresses, Footprints

STREET = Footprints.from_polygons(
    ["a", "b", "big", "c#1", "c#2", "court"],
    [
        shapely.box(0, 0, 10, 10),
        shapely.box(10, 0, 20, 10),
        shapely.box(100, 0, 140, 40),
        shapely.box(200, 0, 210, 10),
        shapely.box(220, 0, 230, 10),
        shapely.Polygon(
            shapely.box(300, 0, 330, 30).exterior, [shapely.box(310, 10, 320, 20).exterior]
        ),
    ],
)
CODES = [f"42100299010000100000{k}" for k in range(6)]
NOWHERE = (np.nan, np.nan)


def addresses(
    names: Any, x: Any, y: Any, building_ref: Any = None, rows: Any = (), text: Any = None
) -> Addresses:
    return Addresses(names, text or names, x, y, np.array(building_ref or []), rows)


def linked(places: Any, refs: Any = None, **options: Any) -> Any:
    """Rows (address, building, rule, confidence, distance, inside), unlinked, issues, links."""
    names = [f"k{i}" for i in range(len(places))]
    x, y = np.array(places, float).reshape(-1, 2).T
    links, issues = link(addresses(names, x, y, refs), STREET, codes=CODES, **options)
    rows = [
        tuple(row)
        for row in links.to_pandas()[
            ["address_id", "building_id", "rule", "confidence", "distance_m", "inside"]
        ]
        .to_numpy()
        .tolist()
    ]
    unlinked = dict(
        zip(links.unlinked_id.tolist(), links.unlinked_reason.tolist(), strict=True)
    )
    return rows, unlinked, issues, links


def test_r1_inside_one_footprint():
    rows, unlinked, issues, links = linked([(5, 5), (300, 30), (140, 20)])
    assert rows == [
        ("k0", "a", "R1", 0.95, 0.0, True),
        ("k1", "court", "R1", 0.95, 0.0, True),
        ("k2", "big", "R1", 0.95, 0.0, True),
    ]
    assert (unlinked, issues, links.n_candidates.tolist()) == ({}, [], [1, 1, 1])


def test_r1_does_not_choose_between_several():
    rows, unlinked, issues, _ = linked([(10, 5)])
    assert (rows, unlinked) == ([], {"k0": "AMBIGUOUS"})
    assert [(i.severity, i.code, i.table, i.id) for i in issues] == [
        ("WARNING", "ADDRESS_UNLINKED", "addresses", "k0")
    ]


TOWERS = Footprints.from_polygons(
    ["podium", "t1", "t2", "twin", "sole", "next"],
    [
        shapely.box(0, 0, 100, 40),
        shapely.box(10, 10, 30, 30),
        shapely.box(25, 10, 45, 30),
        shapely.box(60, 10, 80, 30),
        shapely.box(200, 0, 220, 20),
        shapely.box(222, 0, 242, 20),
    ],
    label=["", "锦绣苑1幢", "２号楼", "三栋", "4", ""],
)


def linked_towers(text: str, x: float, y: float, **options: Any) -> Any:
    """One address: row of the DataFrame as a dict, or the reason; and the issues."""
    links, issues = link(addresses(["k"], [x], [y], text=[text]), TOWERS, **options)
    rows = links.to_pandas().to_dict("records")
    return (rows[0] if rows else links.unlinked_reason.item()), issues


@pytest.mark.parametrize(
    ("text", "x", "building", "similarity"),
    [
        ("向阳路1号锦绣苑1幢2单元", 27, "t1", 1.0),
        ("向阳路1号锦绣苑二栋", 27, "t2", 1.0),
        ("向阳路1号锦绣苑1栋", 15, "t1", 1.0),
        ("向阳路1号", 15, "t1", np.nan),
        ("向阳路1号3号楼", 70, "twin", 1.0),
    ],
)
def test_r2_by_the_building_number_then_the_smallest(text, x, building, similarity):
    row, issues = linked_towers(text, x, 20)
    assert (row["building_id"], row["rule"], row["confidence"]) == (building, "R2", 0.8)
    assert row["text_similarity"] == pytest.approx(similarity, nan_ok=True)
    assert row["matched_elements"] == ("building" if similarity == 1.0 else "")
    assert (row["inside"], row["distance_m"], row["conflicts"]) == (True, 0.0, "")
    assert issues == []


def test_r2_names_the_runner_up():
    row, _ = linked_towers("锦绣苑1幢", 27, 20)
    # t2 is as large, but bears another number; the podium is ten times as large.
    assert (row["runner_up_id"], row["runner_up_confidence"]) == ("t2", 0.4)
    assert row["n_candidates"] == 3
    row, _ = linked_towers("锦绣苑", 15, 20)
    assert row["runner_up_id"] == "podium"
    assert row["runner_up_confidence"] == pytest.approx(0.8 * 400 / 4000)


def test_r2_does_not_choose_between_equals():
    reason, issues = linked_towers("锦绣苑", 27, 20)
    assert reason == "AMBIGUOUS"
    assert [issue.code for issue in issues] == ["ADDRESS_UNLINKED"]


def test_r2_against_all_labels_is_a_conflict():
    # On t1 and the podium, which bears no number: the podium is not contradicted.
    row, issues = linked_towers("锦绣苑9幢", 15, 20)
    assert (row["building_id"], row["confidence"], row["conflicts"]) == ("podium", 0.8, "")
    assert (row["runner_up_id"], row["runner_up_confidence"]) == ("t1", 0.4)
    labels = [label or "8幢" for label in TOWERS.label.tolist()]
    footprints = Footprints.from_polygons(TOWERS.building_id, TOWERS.polygons(), label=labels)
    links, issues = link(addresses(["k"], [15.0], [20.0], text=["锦绣苑9幢"]), footprints)
    assert links.building_id.tolist() == ["t1"]
    assert links.confidence.tolist() == [0.4]
    assert links.conflicts.tolist() == ["BUILDING_NUMBER"]
    assert [issue.code for issue in issues] == ["LINK_CONFLICT"]


@pytest.mark.parametrize("accuracy", [0.0, 3.0])
def test_r2_does_not_depend_on_the_order_of_rows(accuracy):
    rng = np.random.default_rng(2)
    n = 80
    names, x, y = [f"k{i:02d}" for i in range(n)], *rng.uniform((0, 8), (90, 32), (n, 2)).T
    text = [f"锦绣苑{i % 5}幢" if i % 3 else "锦绣苑" for i in range(n)]
    expected, issues = link(addresses(names, x, y, text=text), TOWERS, accuracy=accuracy)
    assert "R2" in expected.rule.tolist()
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(n)
        mixed = addresses(
            [names[i] for i in order], x[order], y[order], None, order, [text[i] for i in order]
        )
        houses = TOWERS.take(np.random.default_rng(seed).permutation(len(TOWERS)))
        found, again = link(mixed, houses, accuracy=accuracy)
        assert found.to_pandas().equals(expected.to_pandas())
        assert found.unlinked_to_pandas().equals(expected.unlinked_to_pandas())
        assert again == issues


def test_r2_margin_of_sizes():
    def reason(width: float) -> Any:
        footprints = Footprints.from_polygons(
            ["a", "b"], [shapely.box(0, 0, 10, 10), shapely.box(0, 0, width, 10)]
        )
        links, _ = link(addresses(["k"], [5.0], [5.0]), footprints)
        return links.building_id.tolist() or links.unlinked_reason.tolist()

    assert [reason(width) for width in (10, 10.6, 10.7, 9.4, 9.3)] == [
        ["AMBIGUOUS"],
        ["AMBIGUOUS"],
        ["a"],
        ["AMBIGUOUS"],
        ["b"],
    ]


def test_r2_keeps_its_decision_where_points_are_inexact():
    row, _ = linked_towers("锦绣苑1幢", 20, 20, accuracy=2.0)
    assert (row["building_id"], row["rule"]) == ("t1", "R2")
    assert row["confidence"] == pytest.approx(0.8)
    row, _ = linked_towers("锦绣苑1幢", 29.5, 20, accuracy=2.0)
    assert row["building_id"] == "t1"
    assert row["confidence"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "base", "conflict", "similarity"),
    [
        ("锦绣苑4幢", 0.952381, "", 1.0),
        ("锦绣苑", 0.95, "", np.nan),
        ("锦绣苑5幢", 0.80, "BUILDING_NUMBER", 0.0),
    ],
)
def test_r1_against_the_label(text, base, conflict, similarity):
    row, issues = linked_towers(text, 210, 10)
    assert (row["building_id"], row["rule"]) == ("sole", "R1")
    assert row["confidence"] == pytest.approx(base)
    assert row["conflicts"] == conflict
    assert row["text_similarity"] == pytest.approx(similarity, nan_ok=True)
    assert json.loads(row["factors"]) == {"base": base, "point": 1.0, "text": 1.0}
    assert [issue.code for issue in issues] == ["LINK_CONFLICT"] * bool(conflict)
    if conflict:
        assert "its text says building 5, building sole is labelled 4" in issues[0].message


def test_r3_against_the_label_and_its_runner_up():
    row, _ = linked_towers("锦绣苑5幢", 220.5, 10)
    assert (row["building_id"], row["rule"], row["conflicts"]) == (
        "sole",
        "R3",
        "BUILDING_NUMBER",
    )
    assert row["confidence"] == pytest.approx(0.85 * 0.80 / 0.95)
    assert row["runner_up_id"] == "next"
    assert row["runner_up_confidence"] == pytest.approx(0.85 * 0.5 / 1.5)


def test_confidence_is_the_product_of_its_factors():
    rng = np.random.default_rng(1)
    n = 60
    names = [f"k{i:02d}" for i in range(n)]
    text = [f"锦绣苑{1 + i % 5}幢" for i in range(n)]
    x, y = rng.uniform((-2, -2), (245, 42), (n, 2)).T
    links, _ = link(addresses(names, x, y, text=text), TOWERS, accuracy=2.0)
    product = [np.prod(list(json.loads(row).values())) for row in links.factors.tolist()]
    np.testing.assert_allclose(links.confidence, product, atol=2e-6)
    assert set(links.rule.tolist()) == {"R1", "R2", "R3", "R5"}
    known = links.runner_up_id != ""
    assert (np.isfinite(links.runner_up_confidence) == known).all()
    assert not (links.runner_up_id == links.building_id).any()
    assert (links.n_candidates[known] >= 2).all()


def test_where_an_address_comes_from():
    given = Addresses(
        ["b", "a"], ["", ""], [5, 6], [5, 5], source_row=[7, 9],
        crs="EPSG:4547", source_crs="EPSG:4490",
    )  # fmt: skip
    rows = link(given, STREET)[0].to_pandas()
    assert rows["source_row"].tolist() == [9, 7]
    assert rows["crs_in"].tolist() == ["EPSG:4490"] * 2
    assert rows["transform"].tolist() == ["EPSG:4490 -> EPSG:4547"] * 2
    assert rows["review_state"].tolist() == ["auto"] * 2
    assert rows["role"].tolist() == ["primary", "secondary"]
    same = Addresses(["a"], [""], [5], [5], crs="EPSG:4547", source_crs="EPSG:4547")
    rows = link(same, STREET)[0].to_pandas()
    assert (rows["crs_in"].item(), rows["transform"].item()) == ("EPSG:4547", "")


def test_inexact_points_have_their_neighbour_as_runner_up():
    *_, links = linked([(9, 5), (12, 5), (120, 20)], accuracy=3.0)
    assert links.runner_up_id.tolist() == ["b", "a", ""]
    total = links.confidence[:2] + links.runner_up_confidence[:2]
    np.testing.assert_allclose(total, 0.95)


def test_r3_at_the_edge_of_one_footprint():
    rows, unlinked, _, links = linked([(98, 20), (97, 20), (96.9, 20), (311, 15), (315, 15)])
    assert rows == [
        ("k0", "big", "R3", 0.85, 2.0, False),
        ("k1", "big", "R3", 0.85, 3.0, False),
        ("k3", "court", "R3", 0.85, 1.0, False),
    ]
    assert unlinked == {"k2": "TOO_FAR", "k4": "TOO_FAR"}
    assert links.n_candidates.tolist() == [1, 1, 1]


def test_r3_wants_the_second_twice_as_far():
    # The gap between c#1 and c#2 is 10 m wide.
    places = [(213.3, 5), (213.4, 5), (215, 5)]
    rows, unlinked, _, links = linked(places, edge_distance=6.0)
    assert [(r[:3], round(r[4], 3)) for r in rows] == [(("k0", "c#1", "R3"), 3.3)]
    assert links.n_candidates.tolist() == [2]
    assert unlinked == {"k1": "AMBIGUOUS_EDGE", "k2": "AMBIGUOUS_EDGE"}
    assert linked(places)[1] == dict.fromkeys(["k0", "k1", "k2"], "TOO_FAR")


def test_r3_switched_off():
    assert linked([(98, 20)], edge_distance=0.0)[1] == {"k0": "TOO_FAR"}


def test_r0_goes_before_the_point():
    rows, unlinked, issues, _ = linked([(5, 5), NOWHERE, (150, 5)], ["b", CODES[2], "big"])
    assert rows[0] == ("k0", "b", "R0", 1.0, 5.0, False)
    assert rows[1][:4] == ("k1", "big", "R0", 1.0)
    assert np.isnan(rows[1][4])
    assert rows[2] == ("k2", "big", "R0", 1.0, 10.0, False)
    assert (unlinked, issues) == ({}, [])


def test_r0_in_conflict_with_the_point():
    rows, _, issues, _ = linked([(70, 5), (69.9, 5)], ["b", "b"])
    assert [row[3] for row in rows] == [1.0, 1.0]
    rows, unlinked, issues, _ = linked([(70.5, 5), (30.5, 5)], ["b", "b"])
    assert [row[3:5] for row in rows] == [(0.6, 50.5), (1.0, 10.5)]
    assert [(i.code, i.id) for i in issues] == [("LINK_CONFLICT", "k0")]
    assert "50.5 m outside" in issues[0].message
    assert unlinked == {}
    assert linked([(30.5, 5)], ["b"], given_far=10.0)[0][0][3] == 0.6


@pytest.mark.parametrize("ref", ["a;b", "b, a", "a；b", f"{CODES[0]}，{CODES[1]}", "a、b;a"])
def test_r0_names_several(ref):
    rows, _, _, links = linked([(5, 5)], [ref])
    assert [row[:3] for row in rows] == [("k0", "a", "R0"), ("k0", "b", "R0")]
    assert links.n_candidates.tolist() == [2, 2]


def test_r0_names_a_building_of_several_parts():
    rows, *_ = linked([(5, 5), (5, 5)], ["c", "c#2"])
    assert [row[:3] for row in rows] == [
        ("k0", "c#1", "R0"),
        ("k0", "c#2", "R0"),
        ("k1", "c#2", "R0"),
    ]


def test_identifier_with_a_comma_and_identifier_before_code():
    footprints = Footprints.from_polygons(
        ["1,2", "x"], [shapely.box(0, 0, 1, 1), shapely.box(5, 0, 6, 1)]
    )
    named = addresses(["p", "q"], [0, 0], [0, 0], ["1,2", "x"])
    links, issues = link(named, footprints, codes=["x", ""])
    assert links.building_id.tolist() == ["1,2", "x"]
    assert issues == []


def test_name_that_nothing_bears():
    rows, unlinked, issues, _ = linked(
        [(5, 5), NOWHERE, (5, 5), (60, 60)], ["z", "z", "a;z", "z"]
    )
    assert [row[:3] for row in rows] == [("k0", "a", "R1"), ("k2", "a", "R0")]
    assert unlinked == {"k1": "UNKNOWN_BUILDING_REF", "k3": "TOO_FAR"}
    assert [(i.id, i.code) for i in issues] == [
        ("k0", "UNKNOWN_BUILDING_REF"),
        ("k1", "ADDRESS_UNLINKED"),
        ("k1", "UNKNOWN_BUILDING_REF"),
        ("k2", "UNKNOWN_BUILDING_REF"),
        ("k3", "ADDRESS_UNLINKED"),
        ("k3", "UNKNOWN_BUILDING_REF"),
    ]


def test_no_coordinates():
    assert linked([NOWHERE])[1] == {"k0": "NO_COORDINATES"}


def test_primary_is_the_surest_then_nearest_then_first():
    places = [(98, 20), (120, 20), (100, 20), (90, 20), NOWHERE]
    *_, links = linked(places, ["", "", "", "big", "big"])
    assert links.address_id[links.primary].tolist() == ["k3"]
    *_, links = linked(places[:3])
    assert links.address_id[links.primary].tolist() == ["k1"]
    *_, links = linked([NOWHERE, (99, 20), (120, 20)], ["big", "", ""])
    assert links.address_id[links.primary].tolist() == ["k0"]


def test_primary_is_one_for_each_linked_building():
    *_, links = linked([(5, 5), (6, 6), (15, 5), (120, 20)], ["", "b", "", ""])
    of = links.building_id[links.primary].tolist()
    assert sorted(of) == sorted(set(links.building_id.tolist()))


def test_nothing_to_link():
    none = Footprints.from_polygons([], [])
    links, issues = link(addresses(["p"], [1.0], [1.0]), none)
    assert (len(links), links.unlinked_reason.tolist()) == (0, ["TOO_FAR"])
    assert len(issues) == 1
    links, issues = link(addresses([], [], []), STREET, accuracy=2.0)
    assert (len(links), len(links.unlinked_id), issues) == (0, 0, [])


def test_frames_are_taken():
    links, _ = link(addresses(["p"], [5.0], [5.0]).to_geopandas(), STREET.to_geopandas())
    assert links.building_id.tolist() == ["a"]


@pytest.mark.parametrize("name", ["edge_distance", "given_far", "accuracy"])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_wrong_distances_are_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        linked([(5, 5)], **{name: value})


def test_codes_must_match_the_footprints():
    with pytest.raises(TableError, match="codes: 6 rows expected"):
        link(addresses([], [], []), STREET, codes=["x"])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-5, 330), st.integers(-5, 45), st.sampled_from(["", "", "a", "c", "z"])
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
    st.sampled_from([0.0, 4.0]),
)
def test_order_of_rows_changes_nothing(rows, random, accuracy):
    def run(order: list[int], houses: list[int]) -> Any:
        x, y, refs = zip(*(rows[i] for i in order), strict=True)
        names = [f"k{i}" for i in order]
        footprints = STREET.take(np.array(houses))
        links, issues = link(
            addresses(names, x, y, refs, order),
            footprints,
            codes=[CODES[k] for k in houses],
            accuracy=accuracy,
        )
        return links.to_pandas(), links.unlinked_to_pandas(), issues

    order, houses = list(range(len(rows))), list(range(len(STREET)))
    expected = run(order, houses)
    random.shuffle(order)
    random.shuffle(houses)
    found = run(order, houses)
    assert found[0].equals(expected[0])
    assert found[1].equals(expected[1])
    assert found[2] == expected[2]


def test_every_address_is_linked_or_listed():
    rng = np.random.default_rng(5)
    rows, unlinked, _, _ = linked(rng.uniform((-9, -9), (340, 50), (300, 2)))
    assert {row[0] for row in rows} | set(unlinked) == {f"k{i}" for i in range(300)}
    assert not {row[0] for row in rows} & set(unlinked)


def test_accuracy_lowers_confidence_with_depth():
    # Walking from the middle of a towards the wall that it shares with b.
    *_, links = linked([(x, 5) for x in (2, 4, 6, 8, 9, 9.9)], accuracy=3.0)
    assert links.rule.tolist() == ["R1"] * 6
    assert (np.diff(links.confidence) <= 0).all()
    assert links.confidence[0] == pytest.approx(0.95)
    assert links.confidence[-1] == pytest.approx(0.95 / 2, abs=0.03)
    assert links.n_candidates.tolist() == [1, 1, 1, 2, 2, 2]


def test_accuracy_matters_only_where_a_neighbour_is_near():
    *_, links = linked([(101, 20), (98, 20)], accuracy=4.0)
    assert links.confidence.tolist() == [0.95, 0.85]


def test_given_links_keep_their_confidence():
    *_, links = linked([(9.9, 5)], ["a"], accuracy=5.0)
    assert links.confidence.tolist() == [1.0]


def test_edge_link_keeps_its_confidence_where_no_place_is_in_a_building():
    *_, links = linked([(97.5, 20)], accuracy=0.1)
    assert links.confidence.tolist() == [0.85]


@pytest.fixture(scope="module")
def delft():
    from tests.conftest import DATA

    gpd = pytest.importorskip("geopandas")
    folder = DATA / "delft_centre"
    if not folder.is_dir():
        pytest.skip(f"no real data at {DATA}: set CIMKIT_DATA")
    houses = gpd.read_file(folder / "bgt.gpkg", layer="pand")
    numbers = gpd.read_file(folder / "house_numbers.gpkg")
    numbers = numbers[numbers.bgt_pand_gml_id.isin(houses.gml_id)]
    footprints = Footprints.from_polygons(houses.gml_id, houses.geometry.values)
    xy = np.column_stack([numbers.geometry.x, numbers.geometry.y])
    return footprints, xy, numbers.bgt_pand_gml_id.astype(str).tolist()


def link_moved(delft: Any, length: float, seed: int) -> Any:
    """Confidence and rightness of links after each address moved in a random direction."""
    footprints, xy, truth = delft
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(xy))
    x, y = (xy + length * np.column_stack([np.cos(angle), np.sin(angle)])).T
    names = [f"A{k:04d}" for k in range(len(xy))]
    links, _ = link(addresses(names, x, y), footprints, accuracy=length)
    owner = dict(zip(names, truth, strict=True))
    right = np.array(
        [
            owner[address] == building
            for address, building in zip(
                links.address_id.tolist(), links.building_id.tolist(), strict=True
            )
        ]
    )
    return links.confidence, right


def test_exact_real_addresses_are_all_right(delft):
    confidence, right = link_moved(delft, 0.0, 0)
    assert (len(right), right.sum()) == (123, 123)
    assert (confidence == 0.95).all()


@pytest.mark.parametrize("length", [2.0, 5.0])
def test_confidence_of_real_addresses_is_calibrated(delft, length):
    # Pooled there is less noise, so the bound is sharper.
    results = [link_moved(delft, length, seed) for seed in (1, 2, 3)]
    for confidence, right in results:
        assert calibration_error(confidence, right) <= 0.10
    pooled = [np.concatenate(column) for column in zip(*results, strict=True)]
    assert calibration_error(*pooled) <= 0.07
    sure = pooled[0] >= 0.9
    assert sure.any()
    assert pooled[1][sure].mean() >= 0.95


def calibration_error(confidence: Any, right: Any) -> float:
    """Gap between stated and true share, in ten bins weighted by their links."""
    number = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs((confidence - right)[number == k].sum()) for k in range(10)]
    return float(sum(gaps)) / len(right)
