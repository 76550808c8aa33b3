"""The tables of the sample: what is known of buildings and addresses, as columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from cimkit.sample.addresses import Address, Entry
from cimkit.sample.buildings import Building
from cimkit.sample.change import Change
from cimkit.sample.divisions import Community, Division
from cimkit.sample.layout import CRS
from cimkit.sample.names import CITY_CODE
from cimkit.sample.noise import Written
from cimkit.sample.occupancy import Occupancy
from cimkit.sample.organisations import Organisation
from cimkit.tables.elements import COMPOUND, UNIT

Columns = dict[str, Any]


def footprint_frame(
    buildings: Sequence[Building], uses: Sequence[Occupancy]
) -> gpd.GeoDataFrame:
    """Footprints with the usual fields of a survey office."""
    columns = {
        "编号": [b.building_id for b in buildings],
        "名称": [b.label for b in buildings],
        "结构": [b.draft.structure for b in buildings],
        "层数": np.array([b.draft.floors for b in buildings], dtype=np.int32),
        "地下层数": np.array([use.floors_below for use in uses], dtype=np.int32),
        "建成年份": np.array([use.year for use in uses], dtype=np.int32),
        "用途": [use.use for use in uses],
    }
    return gpd.GeoDataFrame(columns, geometry=[b.drawn for b in buildings], crs=CRS)


def truth_columns(
    buildings: Sequence[Building], uses: Sequence[Occupancy], where: Sequence[Community]
) -> Columns:
    """One row for each building, with all that is true of it."""
    inside = [b.outline.representative_point() for b in buildings]
    return {
        "building_id": [b.building_id for b in buildings],
        "kind": [b.kind for b in buildings],
        "roof": [b.draft.roof.kind for b in buildings],
        "floors": [b.draft.floors for b in buildings],
        "h_ground": [b.h_ground for b in buildings],
        "h_eave": [b.h_eave for b in buildings],
        "h_roof_min": [b.h_roof_min for b in buildings],
        "h_roof_mean": [b.h_roof_mean for b in buildings],
        "h_roof_max": [b.h_roof_max for b in buildings],
        "area_m2": [b.outline.area for b in buildings],
        "volume_m3": [b.volume for b in buildings],
        "roof_faces": [len(b.faces) for b in buildings],
        "label": [b.label for b in buildings],
        "structure": [b.draft.structure for b in buildings],
        "use": [use.use for use in uses],
        "floors_below": [use.floors_below for use in uses],
        "year": [use.year for use in uses],
        "county_code": [place.county_code for place in where],
        "township_code": [place.township_code for place in where],
        "community_code": [place.code for place in where],
        "units": [sum(door.name != "" for door in use.doors) for use in uses],
        "rooms": [use.rooms for use in uses],
        "households": [use.households for use in uses],
        "population": [use.population for use in uses],
        "organisations": [use.organisations for use in uses],
        "x": [point.x for point in inside],
        "y": [point.y for point in inside],
    }


def roof_columns(buildings: Sequence[Building]) -> Columns:
    """One row for each face of a roof."""
    faces = [face for b in buildings for face in b.faces]
    return {
        "building_id": [b.building_id for b in buildings for _ in b.faces],
        "part": [face.part for face in faces],
        "x0": [face.x0 for face in faces],
        "y0": [face.y0 for face in faces],
        "z0": [face.z0 for face in faces],
        "dz_dx": [repr(face.dz_dx) for face in faces],
        "dz_dy": [repr(face.dz_dy) for face in faces],
        "wkt": shapely.to_wkt([face.polygon for face in faces], rounding_precision=3),
    }


def address_columns(rows: Sequence[Written]) -> Columns:
    """The plain address table: buildings and units, as an office sends it from Excel."""
    return {
        "地址编码": [row.address.address_id for row in rows],
        "标准地址": [row.text for row in rows],
        "x": [row.address.x for row in rows],
        "y": [row.address.y for row in rows],
        "地址类型": [row.address.kind for row in rows],
        "上级地址编码": [
            row.address.parent_id if row.address.kind == UNIT else "" for row in rows
        ],
    }


def police_columns(rows: Sequence[Written]) -> Columns:
    """The whole address table, down to rooms, under the column names of police systems."""
    addresses = [row.address for row in rows]
    return {
        "DZBM": [a.address_id for a in addresses],
        "SJDZBM": [a.parent_id for a in addresses],
        "DZLX": [a.kind for a in addresses],
        "DZMC": [row.text for row in rows],
        "DSBM": [CITY_CODE] * len(rows),
        "QXBM": [a.community.county_code for a in addresses],
        "XZJDDM": [a.community.township_code for a in addresses],
        "SQDM": [a.community.code for a in addresses],
        "JLXMC": [a.street for a in addresses],
        "MPH": [a.number for a in addresses],
        "XQMC": [a.estate for a in addresses],
        "JZWMC": [a.building for a in addresses],
        "HAOZUO": [a.door if a.door.endswith("座") else "" for a in addresses],
        "DYH": [a.door if a.door.endswith("单元") else "" for a in addresses],
        "LCH": [a.floor for a in addresses],
        "DYFH": [a.room for a in addresses],
        "X": [a.x for a in addresses],
        "Y": [a.y for a in addresses],
    }


def link_columns(addresses: Iterable[Address]) -> Columns:
    """To which building each address belongs, and how it is spelled where nobody errs."""
    rows = list(addresses)
    return {
        "building_id": [a.building_id for a in rows],
        "address_id": [a.address_id for a in rows],
        "address_text": [a.text for a in rows],
    }


def estate_links(estate: Address, buildings: Sequence[Building]) -> list[Address]:
    """Repeat the address of premises for each building on them."""
    if estate.kind != COMPOUND or not buildings:
        return [estate]
    return [estate._replace(building_id=b.building_id) for b in buildings]


def household_columns(entries: Sequence[Entry]) -> Columns:
    """Counts behind each door; no person stands in any table."""
    doors = [(e.address.address_id, e.door) for e in entries if e.door is not None]
    return {
        "地址编码": [name for name, _ in doors],
        "户室数": [door.rooms for _, door in doors],
        "实有户数": [door.households for _, door in doors],
        "实有人口": [door.population for _, door in doors],
    }


def organisation_columns(rows: Sequence[Organisation]) -> Columns:
    """Organisations and their addresses."""
    return {
        "统一社会信用代码": [row.code for row in rows],
        "单位名称": [row.name for row in rows],
        "地址编码": [row.address_id for row in rows],
    }


def change_columns(changes: Sequence[Change]) -> Columns:
    """What became of each building, and from what each new one came."""
    return {
        "old_id": [change.old_id for change in changes],
        "new_id": [change.new_id for change in changes],
        "change": [change.change for change in changes],
    }


def division_frame(divisions: Sequence[Division]) -> gpd.GeoDataFrame:
    """Divisions with level, code (6, 9 or 12 digits), name and code of the parent."""
    columns = {
        "level": [division.level for division in divisions],
        "code": [division.code for division in divisions],
        "name": [division.name for division in divisions],
        "parent": [division.parent for division in divisions],
    }
    return gpd.GeoDataFrame(columns, geometry=[d.polygon for d in divisions], crs=CRS)
