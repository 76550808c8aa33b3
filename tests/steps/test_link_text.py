"""Links by what addresses say: labels, siblings, house numbers, compounds."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import cimkit
from cimkit.read.addresses import read_addresses
from cimkit.read.footprints import read_footprints
from cimkit.steps.clean import clean
from cimkit.steps.link import link
from cimkit.tables import Addresses, Footprints
from cimkit.tables.elements import Elements
from tests.conftest import DATA

NOWHERE = float("nan")


def row_of_houses(n: int, labels: list[str] | None = None) -> Footprints:
    """Houses of 8 m on a street to the east, `h0` first."""
    boxes = [shapely.box(8 * k, 0, 8 * k + 8, 12) for k in range(n)]
    return Footprints.from_polygons(
        [f"h{k}" for k in range(n)], boxes, label=labels or [""] * n
    )


def at(texts: list[str], places: list[tuple[float, float]], **elements: list[str]) -> Addresses:
    names = [f"a{k}" for k in range(len(texts))]
    x, y = np.array(places, float).reshape(-1, 2).T
    parts = Elements.of(len(texts), **elements)
    return Addresses(names, texts, x, y, elements=parts)


def found(addresses: Addresses, footprints: Footprints, **options: float):
    links, issues = link(addresses, footprints, **options)
    frame = links.to_pandas()
    rows = {
        (row.address_id, row.building_id): (row.rule, round(row.confidence, 2))
        for row in frame.itertuples()
    }
    reasons = dict(zip(links.unlinked_id.tolist(), links.unlinked_reason.tolist(), strict=True))
    return rows, reasons, issues


def test_r4_a_plate_without_a_place_stands_between_its_neighbours():
    houses = row_of_houses(5)
    texts = [f"向阳路{n}号" for n in (1, 3, 5, 7, 9)]
    places = [(4, 2), (12, 2), (NOWHERE, NOWHERE), (28, 2), (36, 2)]
    rows, reasons, _ = found(at(texts, places), houses)
    assert not reasons
    assert rows["a2", "h2"][0] == "R4"
    assert 0.8 < rows["a2", "h2"][1] < 1.0
    assert [rows[f"a{k}", f"h{k}"][0] for k in (0, 1, 3, 4)] == ["R1"] * 4


def test_r4_takes_the_street_from_columns():
    houses = row_of_houses(3)
    columns = {"street": ["向阳路"] * 3, "number": ["1", "3", "5"]}
    places = [(4, 2), (NOWHERE, NOWHERE), (20, 2)]
    rows, _, _ = found(at(["甲", "乙", "丙"], places, **columns), houses)
    assert rows["a1", "h1"][0] == "R4"


def test_r4_does_not_mix_streets_or_sides():
    houses = row_of_houses(5)
    texts = ["向阳路1号", "望江路3号", "向阳路4号", "向阳路9号"]
    places = [(4, 2), (NOWHERE, NOWHERE), (NOWHERE, NOWHERE), (36, 2)]
    _, reasons, _ = found(at(texts, places), houses)
    assert reasons == {"a1": "NO_COORDINATES", "a2": "NO_COORDINATES"}


def test_r4_one_name_for_two_streets_far_apart():
    """Numbers of both towns take turns; a plate without a place could be in either."""
    houses = row_of_houses(5)
    boxes = [*houses.polygons(), *(shapely.box(8 * k, 9000, 8 * k + 8, 9012) for k in range(3))]
    both = Footprints.from_polygons([f"h{k}" for k in range(8)], boxes)
    texts = [f"向阳路{n}号" for n in (1, 5, 9, 3, 7)]
    places = [(4, 2), (20, 2), (44, 4), (4, 9002), (20, 9002)]
    rows, reasons, _ = found(at(texts, places), both)
    assert rows["a2", "h4"][0] == "R4"
    assert not reasons
    lost = at([*texts, "向阳路11号"], [*places, (NOWHERE, NOWHERE)])
    assert found(lost, both)[1] == {"a5": "NO_COORDINATES"}


def test_r4_straightens_points_that_lie_beside_their_houses():
    """All numbers are moved into the next house; the row as a whole can only be one way."""
    houses = row_of_houses(6)
    rng = np.random.default_rng(3)
    texts = [f"向阳路{2 * k + 1}号" for k in range(6)]
    right = []
    for _ in range(20):
        angle = rng.uniform(0, 2 * np.pi, 6)
        places = [
            (8 * k + 4 + 6 * np.cos(a), 3 + 6 * np.sin(a)) for k, a in enumerate(angle.tolist())
        ]
        rows, _, _ = found(at(texts, places), houses, accuracy=6.0)
        right += [(f"a{k}", f"h{k}") in rows for k in range(6)]
    assert np.mean(right) > 0.9


def test_r5_the_label_names_the_building():
    houses = row_of_houses(3, ["锦绣苑1幢", "锦绣苑2幢", "锦绣苑3幢"])
    texts = ["向阳路1号锦绣苑2幢", "锦绣苑３号楼1单元301室", "锦绣苑4幢"]
    rows, reasons, _ = found(at(texts, [(NOWHERE, NOWHERE)] * 3), houses)
    assert rows == {("a0", "h1"): ("R5", 0.75), ("a1", "h2"): ("R5", 0.75)}
    assert reasons == {"a2": "NO_COORDINATES"}


def test_r5_the_name_goes_before_a_point_in_another_building():
    houses = row_of_houses(3, ["锦绣苑1幢", "锦绣苑2幢", "锦绣苑3幢"])
    links, issues = link(at(["锦绣苑3幢"], [(4, 4)]), houses)
    row = links.to_pandas().iloc[0]
    assert (row["building_id"], row["rule"], row["runner_up_id"]) == ("h2", "R5", "h0")
    assert not issues


def test_a_common_label_names_nothing():
    houses = row_of_houses(20, ["自建房"] * 20)
    _, reasons, _ = found(at(["向阳路自建房"], [(NOWHERE, NOWHERE)]), houses)
    assert reasons == {"a0": "NO_COORDINATES"}


def test_the_same_name_in_another_town_is_another_building():
    boxes = [shapely.box(0, 0, 8, 8), shapely.box(9000, 0, 9008, 8)]
    towns = Footprints.from_polygons(["here", "there"], boxes, label=["锦绣苑1幢"] * 2)
    rows, reasons, _ = found(
        at(["锦绣苑1幢", "锦绣苑1幢"], [(20, 4), (NOWHERE, NOWHERE)]), towns
    )
    assert list(rows) == [("a0", "here"), ("a1", "here")]
    _, reasons, _ = found(at(["锦绣苑1幢"], [(NOWHERE, NOWHERE)]), towns)
    assert reasons == {"a0": "NO_COORDINATES"}


def test_r5_rooms_have_the_building_of_their_door_or_of_the_address_above():
    houses = row_of_houses(2)
    texts = ["向阳路1号锦绣苑1幢", "向阳路1号锦绣苑1幢2单元301室", "三楼", "三楼东"]
    places = [(4, 4), *[(NOWHERE, NOWHERE)] * 3]
    rows, reasons, _ = found(at(texts, places, parent_id=["", "a0", "a1", "a2"]), houses)
    assert not reasons
    assert [rows[f"a{k}", "h0"][0] for k in range(4)] == ["R1", "R5", "R5", "R5"]
    assert rows["a3", "h0"][1] == 0.9


def test_a_circle_of_parents_ends_nowhere():
    houses = row_of_houses(2)
    places = [(NOWHERE, NOWHERE)] * 3
    _, reasons, _ = found(at(["甲", "乙", "丙"], places, parent_id=["a1", "a2", "a0"]), houses)
    assert set(reasons.values()) == {"NO_COORDINATES"}


def test_r6_a_compound_belongs_to_all_its_buildings_and_is_nobodys_own():
    houses = row_of_houses(3)
    texts = [
        "向阳路1号锦绣苑1幢",
        "向阳路1号锦绣苑2幢",
        "向阳路1号锦绣苑",
        "向阳路1号锦绣苑301室",
    ]
    places = [(4, 4), (12, 4), (100, 100), (100, 100)]
    links, _ = link(at(texts, places), houses)
    frame = links.to_pandas().set_index(["address_id", "building_id"])
    assert frame.loc["a2"].index.tolist() == ["h0", "h1"]
    assert set(frame.loc["a2"]["role"]) == {"compound"}
    assert set(frame.loc["a2"]["rule"]) == {"R6"}
    assert links.unlinked_id.tolist() == ["a3"]
    assert frame.loc["a0"]["primary"].all()


def test_r6_a_stated_compound_has_what_is_below_it_and_on_its_plate():
    """Also where its point happens to lie in one of its buildings; inherited by no room."""
    houses = row_of_houses(4)
    texts = ["向阳路7号小学教学楼", "向阳路7号小学食堂", "门卫", "向阳路7号小学", "9号小学"]
    places = [(4, 4), (12, 4), (20, 4), (4, 4), (28, 4)]
    kinds = ["建筑物", "建筑物", "建筑物", "院落", "院落"]
    rows, _, _ = found(at(texts, places, kind=kinds, parent_id=["", "", "a3", "", ""]), houses)
    assert sorted(b for a, b in rows if a == "a3") == ["h0", "h1", "h2"]
    assert rows["a3", "h2"][0] == "R6"
    assert rows["a4", "h3"][0] == "R1"


def test_bases_follow_the_data():
    """Where building number and place agree forty times, the rule is trusted more."""
    labels = [f"锦绣苑{k + 1}幢" for k in range(40)]
    houses = row_of_houses(41, [*labels, ""])
    texts = [*labels, "杂物"]
    places = [(8 * k + 4, -1.0) for k in range(41)]
    rows, _, _ = found(at(texts[:1], places[:1]), houses)
    alone = rows["a0", "h0"][1]
    rows, _, _ = found(at(texts, places), houses)
    assert rows["a40", "h40"] == ("R3", round((20 * 0.85 + 40) / 60, 2))
    assert rows["a40", "h40"][1] > alone


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy")
    cimkit.make_sample(
        folder,
        buildings=2_000,
        seed=11,
        cloud="none",
        jitter=10.0,
        wrong_township=0.05,
        without_coordinates=0.2,
        typing_variants=0.1,
    )
    crs = "EPSG:4546"
    footprints, _ = clean(read_footprints(str(folder / "footprints.shp"), crs=crs)[0])
    addresses, _ = read_addresses(str(folder / "addresses.csv"), crs=crs)
    truth = pd.read_csv(folder / "truth_links.csv", dtype=str, keep_default_na=False)
    truth = truth[truth["building_id"] != ""]
    return (
        footprints,
        addresses,
        set(zip(truth["building_id"], truth["address_id"], strict=True)),
    )


def test_a_noisy_city(noisy):
    footprints, addresses, truth = noisy
    links, _ = link(addresses, footprints)
    pairs = zip(links.building_id.tolist(), links.address_id.tolist(), strict=True)
    right = np.array([pair in truth for pair in pairs])
    assert right.mean() >= 0.95
    assert right.sum() / len(truth) >= 0.90
    sure = links.confidence >= 0.9
    assert abs(links.confidence[sure].mean() - right[sure].mean()) <= 0.05


@pytest.mark.skipif(not (DATA / "delft_centre").exists(), reason="needs CIMKIT_DATA")
@pytest.mark.parametrize(("metres", "least"), [(2.0, 0.90), (5.0, 0.60)])
def test_real_house_numbers_that_were_moved(metres, least):
    """Only numbers and nearness are known; nearest footprint alone: 0.80 and 0.38."""
    source = DATA / "delft_centre"
    outlines = gpd.read_file(source / "bgt.gpkg", layer="pand")
    numbers = gpd.read_file(source / "house_numbers.gpkg")
    numbers = numbers[numbers["bgt_pand_gml_id"].isin(outlines["gml_id"])]
    houses = Footprints.from_polygons(outlines["gml_id"].tolist(), outlines.geometry.to_numpy())
    truth = numbers["bgt_pand_gml_id"].tolist()
    names = [f"A{k:04d}" for k in range(len(numbers))]
    scores = []
    for seed in range(3):
        angle = np.random.default_rng(seed + 1).uniform(0, 2 * np.pi, len(numbers))
        moved = Addresses(
            names,
            numbers["housenumbers"].tolist(),
            numbers.geometry.x.to_numpy() + metres * np.cos(angle),
            numbers.geometry.y.to_numpy() + metres * np.sin(angle),
        )
        links, _ = link(moved, houses, accuracy=metres)
        own = dict(zip(names, truth, strict=True))
        pairs = zip(links.building_id.tolist(), links.address_id.tolist(), strict=True)
        right = sum(own[address] == building for building, address in pairs)
        scores.append(2 * right / (len(links) + len(names)))
    assert np.mean(scores) >= least


@pytest.mark.skipif(not (DATA / "helsinki_osm").exists(), reason="needs CIMKIT_DATA")
def test_r4_says_how_good_it_is_on_real_streets():
    """A fifth of the nodes without their places: large buildings bear many numbers there."""
    path = str(DATA / "helsinki_osm" / "helsinki_osm.gpkg")
    footprints, _ = clean(read_footprints(path, layer="buildings", crs="EPSG:3879")[0])
    nodes, _ = read_addresses(path, layer="address_nodes", crs="EPSG:3879")
    links, _ = link(nodes, footprints)
    inside = links.rule == "R1"
    own = dict(
        zip(links.address_id[inside].tolist(), links.building_id[inside].tolist(), strict=True)
    )
    stated, right = [], []
    for seed in range(3):
        hidden = np.random.default_rng(seed).random(len(nodes)) < 0.2
        x, y = (np.where(hidden, np.nan, column) for column in (nodes.x, nodes.y))
        lost = set(nodes.address_id[hidden].tolist()) & set(own)
        found = link(replace(nodes, x=x, y=y), footprints)[0].to_pandas()
        found = found[(found["rule"] == "R4") & found["address_id"].isin(lost)]
        stated += found["confidence"].tolist()
        right += (found["address_id"].map(own) == found["building_id"]).tolist()
    assert len(stated) > 100
    assert np.mean(right) > 0.5
    assert abs(np.mean(stated) - np.mean(right)) < 0.1


def test_row_order_and_shift_change_nothing(noisy):
    footprints, addresses, _ = noisy
    some = addresses.take(np.arange(400))
    first, _ = link(some, footprints)
    order = np.random.default_rng(0).permutation(len(some))
    second, _ = link(some.take(order), footprints)
    left, right = first.to_pandas(), second.to_pandas()
    pd.testing.assert_frame_equal(left, right)
