"""Addresses, their tree, their errors, and the counts behind them."""

from __future__ import annotations

import re

import numpy as np
import pytest
import shapely
from stdnum.cn import uscc

from cimkit.sample import make_sample
from tests.sample.conftest import read

NORMAL = r"湖北省荆州市(沙市|荆州)区\w\w(街道|镇|乡)\w+[路巷]\d+号[\w-]*"


def test_addresses_lie_at_their_building(city):
    table = city.addresses.assign(building_id=city.links["building_id"])
    linked = table[(table["building_id"] != "") & table["x"].notna()]
    places = shapely.points(linked[["x", "y"]])
    away = shapely.distance(city.footprints.geometry[linked["building_id"]].to_numpy(), places)
    assert away.max() <= 2.01
    assert 0.5 < (away == 0.0).mean() < 0.9
    assert (away > 1.0).any()


def test_addresses_without_building_or_coordinates(city):
    alone = city.addresses[city.links["building_id"] == ""].dropna(subset=["x"])
    assert len(alone) >= 5
    everything = city.footprints.union_all()
    assert shapely.distance(everything, shapely.points(alone[["x", "y"]])).min() > 5.0
    assert 0.01 < city.addresses["x"].isna().mean() < 0.1
    assert city.addresses["x"].isna().equals(city.addresses["y"].isna())


@pytest.mark.parametrize("epoch", ["city", "later"])
def test_every_address_has_a_true_building_or_none(request, epoch):
    there = request.getfixturevalue(epoch)
    assert there.links["address_id"].tolist() == there.addresses["地址编码"].tolist()
    counts = there.links["building_id"].value_counts().drop("")
    assert set(counts.index) == set(there.truth.index)
    assert counts.max() >= 4
    assert there.addresses["地址编码"].is_unique
    assert there.addresses["标准地址"].is_unique
    assert there.addresses["标准地址"].str.fullmatch(NORMAL).all()
    assert there.addresses["标准地址"].tolist() == there.links["address_text"].tolist()
    assert set(there.all_links["building_id"]) - {""} == set(there.truth.index)
    assert set(there.all_links["address_id"]) == set(there.all_addresses["DZBM"])


def test_the_whole_table_holds_the_plain_one(city):
    every = city.all_addresses.set_index("DZBM")
    same = every.loc[city.addresses["地址编码"]]
    assert same["DZMC"].tolist() == city.addresses["标准地址"].tolist()
    np.testing.assert_array_equal(same["X"], city.addresses["x"])
    links = city.all_links.set_index("address_id")["building_id"]
    assert links[city.links["address_id"]].tolist() == city.links["building_id"].tolist()


def test_addresses_form_a_tree(city):
    every = city.all_addresses.set_index("DZBM")
    assert every.index.is_unique
    above = {"建筑物": {"", "院落"}, "单元": {"建筑物"}, "楼层": {"单元"}, "户室": {"楼层"}}
    order = {name: row for row, name in enumerate(every.index)}
    for name, row in every.iterrows():
        parent = row["SJDZBM"]
        kind = every["DZLX"][parent] if parent else ""
        assert kind in above.get(row["DZLX"], {""})
        assert not parent or order[parent] < order[name]  # parents come first
        if row["DZLX"] == "户室":
            assert row["DYFH"].startswith(row["LCH"].removesuffix("层"))
            assert row["DZMC"].endswith(row["DYFH"])
    links = city.all_links.set_index("address_id")["building_id"]
    inner = every[every["DZLX"].isin(["单元", "楼层", "户室"])]
    assert links[inner.index].tolist() == links[inner["SJDZBM"]].tolist()
    estates = city.all_links[city.all_links["address_id"].str.startswith("E")]
    assert estates.groupby("address_id").size().max() == 6  # six slabs on one premises


def test_elements_of_the_whole_table_make_up_the_text(city):
    every = city.all_addresses
    tail = every["DYFH"].where(every["DYFH"] != "", every["LCH"])
    doors = every["HAOZUO"] + every["DYH"]
    parts = every["JLXMC"] + every["MPH"] + every["XQMC"] + every["JZWMC"] + doors + tail
    assert all(text.endswith(part) for text, part in zip(every["DZMC"], parts, strict=True))
    assert set(every["DSBM"]) == {"421000"}
    assert set(every["QXBM"]) == {"421002"}
    assert every["SQDM"].str.startswith("421002").all()


@pytest.mark.parametrize("epoch", ["city", "later"])
def test_counts_add_up(request, epoch):
    there = request.getfixturevalue(epoch)
    links = there.links.set_index("address_id")["building_id"]
    table = there.households.assign(building_id=links[there.households["地址编码"]].to_numpy())
    total = table.groupby("building_id")[["户室数", "实有户数", "实有人口"]].sum()
    truth = there.truth[["rooms", "households", "population"]]
    lived_in = truth[truth["rooms"] > 0]
    assert (total.loc[lived_in.index].to_numpy() == lived_in.to_numpy()).all()
    assert len(total) == len(lived_in)
    assert not truth[truth["rooms"] == 0].to_numpy().any()
    assert (truth["households"] <= truth["rooms"]).all()
    rooms = there.all_addresses[there.all_addresses["DZLX"] == "户室"]
    linked = there.all_links.set_index("address_id")["building_id"][rooms["DZBM"]]
    counted = linked.value_counts()
    with_units = there.truth[there.truth["units"] > 0]
    assert counted[with_units.index].tolist() == with_units["rooms"].tolist()
    units = there.addresses["地址类型"].eq("单元").sum()
    assert units == there.truth["units"].sum()


def test_organisations_have_valid_codes_and_known_addresses(city):
    firms = city.organisations
    assert len(firms) == city.truth["organisations"].sum() > 20
    assert firms["统一社会信用代码"].is_unique
    assert all(uscc.is_valid(code) for code in firms["统一社会信用代码"])
    assert (firms["统一社会信用代码"].str[8] == "X").all()
    links = city.links.set_index("address_id")["building_id"]
    counted = links[firms["地址编码"]].value_counts()
    truth = city.truth["organisations"]
    assert counted.to_dict() == truth[truth > 0].to_dict()


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """Plain and spoilt addresses of the same city, by id."""
    folder = tmp_path_factory.mktemp("noisy")
    return [
        make_sample(folder / name, buildings=360, cloud="none", rooms=True, **flags)
        for name, flags in {
            "plain": {"without_coordinates": 0.0},
            "spoilt": {
                "jitter": 3.0,
                "wrong_township": 0.1,
                "without_coordinates": 0.2,
                "typing_variants": 0.4,
            },
        }.items()
    ]


def test_noise_is_as_large_as_asked_for(noisy):
    plain, spoilt = (read(made.addresses_full).set_index("DZBM") for made in noisy)
    assert plain.index.equals(spoilt.index)
    assert not plain["X"].isna().any()
    assert 0.18 < spoilt["X"].isna().mean() < 0.22
    moved = (spoilt[["X", "Y"]] - plain[["X", "Y"]]).dropna()
    assert np.std(moved.to_numpy()) == pytest.approx(3.0, rel=0.1)
    wrong = spoilt["XZJDDM"] != plain["XZJDDM"]
    assert 0.08 < wrong.mean() < 0.12
    assert (spoilt["QXBM"] == plain["QXBM"]).all()
    other = (spoilt["DZMC"] != plain["DZMC"]) & ~wrong
    assert 0.3 < other.mean() < 0.45  # some variants change nothing in some texts


def test_typing_variants_are_of_all_kinds_and_keep_the_place(noisy):
    spoilt = read(noisy[1].addresses_full)
    texts = spoilt["DZMC"]
    for sign in (
        "０|１|２",
        r"\d栋",
        r"\d号楼",
        "[一二三]单元",
        " ",
        "湖北省荆州市湖北省",
        "^沙市区",
    ):
        assert texts.str.contains(sign).sum() > 5, sign
    assert not any(re.search(r"\s$", text) for text in texts)


def test_noise_changes_neither_truth_nor_footprints(noisy):
    plain, spoilt = noisy
    for one, other in zip(plain.tables, spoilt.tables, strict=True):
        if not one.name.startswith("addresses"):
            assert one.read_bytes() == other.read_bytes(), one.name
    shapes = [made.footprints.read_bytes() for made in noisy]
    assert shapes[0] == shapes[1]
