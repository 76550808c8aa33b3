"""A sheet of doubtful links for a person to decide on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from cimkit.errors import ParameterError, StoreError
from cimkit.tables import Addresses, Buildings, Footprints, Links
from cimkit.write.faults import disk_faults
from cimkit.write.frames import write_geopackage
from cimkit.write.spreadsheet import harmless

FORMATS = (".csv", ".xlsx", ".gpkg")

_TO_FILL = ("decision", "new_building", "reviewer", "note")

_WHY = {
    "NO_COORDINATES": "it has no point and names no building",
    "UNKNOWN_BUILDING_REF": "it has no point, and no building bears the name that it gives",
    "AMBIGUOUS": "several buildings cover its point",
    "AMBIGUOUS_EDGE": "two buildings are about as near to its point",
    "TOO_FAR": "its point lies outside all footprints",
    "UNLIKELY": "its place or its text speak against the building where it lies",
    "REJECTED": "a person has rejected its link",
}


def review_sheet(
    links: Links,
    addresses: Addresses,
    buildings: Buildings,
    footprints: Footprints,
    *,
    below: float = 0.9,
) -> gpd.GeoDataFrame:
    """Links below a confidence or with conflicts, and addresses without a link.

    Parameters
    ----------
    links, addresses, buildings, footprints
        Of one city.
    below : float, default 0.9
        Links of at least this confidence and without conflict are left out, and so are those
        that a person has decided already.

    Returns
    -------
    GeoDataFrame
        A row each, the least sure first: address, building and its code, evidence, ``why`` in
        a sentence, and the columns to fill in: ``decision`` (accept, reject, edit),
        ``new_building``, ``reviewer``, ``note``. The geometry leads from the address to the
        building.
    """
    reviewed = np.isin(links.review_state.astype(object), ["accepted", "edited"])
    doubtful = (links.confidence < below) | (links.conflicts != "")
    rows = np.flatnonzero(doubtful & ~reviewed)
    rows = rows[np.argsort(links.confidence[rows], kind="stable")]
    chosen = links.take(rows).to_pandas()
    chosen["distance_m"] = chosen["distance_m"].round(2)
    chosen["confidence"] = chosen["confidence"].round(4)
    open_ones = links.unlinked_to_pandas()
    frame = pd.concat(
        [
            chosen[["address_id", "building_id", "rule", "confidence", "distance_m"]].assign(
                runner_up=chosen["runner_up_id"],
                conflicts=chosen["conflicts"],
                why=[_why(row) for row in chosen.to_dict("records")],
            ),
            open_ones[["address_id"]].assign(
                why=[f"without a building: {_WHY.get(r, r)}" for r in open_ones["reason"]]
            ),
        ],
        ignore_index=True,
    )
    return _placed(frame, addresses, buildings, footprints)


_CONFLICTS = {
    "BUILDING_NUMBER": "its building number is not that of the label",
    "REVIEW_CONFLICT": "reviewers contradict each other",
    "ADDRESS_TWICE": "the same address is on another building far away",
    "TWO_PRIMARIES": "another address claims this building as surely",
    "DIVISION_DIFFERS": "it names another township than the building stands in",
    "OUTSIDE_TOWNSHIP": "its point lies outside the township that it names",
    "OUT_OF_ORDER": "the building is far from those of the numbers before and after",
    "FLOOR_BEYOND": "the building has no such floor",
    "STALE": "the address is no longer in force",
}


def _why(row: dict[str, Any]) -> str:
    """What is doubtful about a link, in a sentence."""
    parts = []
    if "FAR_FROM_GIVEN" in row["conflicts"]:
        parts.append(f"it names this building, but lies {row['distance_m']:.0f} m away")
    parts += [_CONFLICTS[kind] for kind in row["conflicts"].split(";") if kind in _CONFLICTS]
    if row["runner_up_id"]:
        parts.append(f"building {row['runner_up_id']} came second")
    return (
        "; ".join(parts)
        or f"links like it by rule {row['rule']} are right in {row['confidence']:.0%}"
    )


def _placed(
    frame: pd.DataFrame, addresses: Addresses, buildings: Buildings, footprints: Footprints
) -> gpd.GeoDataFrame:
    """The sheet with texts, codes, columns to fill in, and lines to the buildings."""
    names = buildings.building_id.tolist()
    code = dict(zip(names, buildings.code.tolist(), strict=True))
    shape = dict(zip(names, footprints.polygons(), strict=True))
    row_of = {name: k for k, name in enumerate(addresses.address_id.tolist())}
    ids = frame["address_id"].tolist()
    own = [name if isinstance(name, str) else "" for name in frame["building_id"].tolist()]
    at = [row_of[name] for name in ids]
    frame = frame.assign(
        building_id=own,
        address_text=addresses.address_text[at].astype(object) if at else [],
        building_code=[code.get(name, "") for name in own],
        **dict.fromkeys(_TO_FILL, ""),
    )
    first = ("address_id", "address_text", "building_id", "building_code")
    between = [name for name in frame.columns if name not in (*first, *_TO_FILL)]
    frame = frame[[*first, *between, *_TO_FILL]]
    lines = []
    for k, name in zip(at, own, strict=True):
        point = shapely.Point(addresses.x[k], addresses.y[k]) if addresses.located[k] else None
        target = shapely.point_on_surface(shape[name]) if name else point
        start = point or target
        lines.append(shapely.LineString([start, target]) if start else None)
    return gpd.GeoDataFrame(frame, geometry=lines, crs=addresses.crs or footprints.crs or None)


def write_review(path: str | Path, sheet: gpd.GeoDataFrame) -> None:
    """Write a sheet as CSV, XLSX or GeoPackage, by the suffix.

    Cells that a spreadsheet would run as a formula get an apostrophe before them. CSV is UTF-8
    with a byte order mark, by which spreadsheets know it; codes in it are text.

    Raises
    ------
    ParameterError
        If the suffix is another one.
    StoreError
        If the file exists, or cannot be written.
    """
    file = Path(path)
    if file.suffix.lower() not in FORMATS:
        raise ParameterError(f"{file.name}: one of {', '.join(FORMATS)}")
    if file.exists():
        raise StoreError(f"{file}: exists already. Name another file.")
    if file.suffix.lower() == ".gpkg":
        write_geopackage(file, {"review": sheet})
        return
    table = pd.DataFrame(sheet.drop(columns="geometry"))
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            table[name] = [
                harmless(text) if isinstance(text, str) else "" for text in table[name]
            ]
    with disk_faults(file, DataSourceError, DataLayerError):
        if file.suffix.lower() == ".csv":
            table.to_csv(file, index=False, encoding="utf-8-sig")
        else:
            pyogrio.write_dataframe(table, file, driver="XLSX", layer="review")
