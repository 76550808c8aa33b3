"""What the page asks of a city: where things are, what is found by a text, what is known."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyproj
import shapely

from cimkit.errors import FormatError, InputError
from cimkit.read.city import City
from cimkit.tables._columns import FloatArray
from cimkit.view.search import Finder, Hit
from cimkit.view.vantage import street_view
from cimkit.write.placement import Placement

HEIGHT_TOP_M = 60.0
"""Metres at which the colours of heights end, where nobody knows the heights."""

SEARCH_MAX = 100
"""Rows that one search may ask for."""

IDS_MAX = 70_000
"""Buildings that may be asked for at once: more are in no tile."""

STREET_BUILDINGS = 1_500
"""Buildings around the middle among which a street is looked for."""

LAYERS = {"buildings": "", "terrain": "terrain/", "points": "points/"}
"""Tilesets, and where they lie below that of the buildings."""

_QUALITY = ("passes", "fails", "roof_type", "rmse_lod22", "point_density", "nodata_fraction")
_LEFT_OUT = {"fid", "geom", "building_id", "code", "address", *_QUALITY}
_CONFLICT = "conflict"
_COUNTS = ("buildings", "addresses", "links")


class Answers(Protocol):
    """What a server, and a single page, need of what they show.

    Attributes
    ----------
    folder : Path
    served : str
        Where in it the tiles lie: nothing else is sent.
    """

    folder: Path
    served: str

    def city(self) -> dict[str, Any]:
        """Return the configuration of the page."""

    def search(self, text: str, limit: int) -> list[dict[str, Any]]:
        """Return what is found by a text, the best first."""

    def building(self, name: str) -> dict[str, Any] | None:
        """Return what is known of a building."""

    def attributes(self, names: list[str]) -> dict[str, list[str | None]]:
        """Return what tiles do not say of some buildings."""


def open_answers(path: str | Path) -> Answers:
    """Answers of a city folder, or of a tileset alone.

    Raises
    ------
    InputError
        If there is neither.
    """
    path = Path(path)
    if (path / "city.gpkg").is_file() and (path / "tiles" / "tileset.json").is_file():
        return CityAnswers(path)
    folder = path.parent if path.name == "tileset.json" else path
    if (folder / "tileset.json").is_file():
        return TilesetAnswers(folder)
    raise InputError(
        "is no city folder and no tileset" if path.exists() else "does not exist",
        path=str(path),
        hint="Name a folder that cimkit build or cimkit tile has made.",
    )


def _tilesets(folder: Path, prefix: str) -> dict[str, str | None]:
    """Addresses of the tilesets that are there."""
    return {
        name: f"data/{prefix}{below}tileset.json"
        if (folder / prefix / below / "tileset.json").is_file()
        else None
        for name, below in LAYERS.items()
    }


class TilesetAnswers:
    """Of a tileset alone: what its tiles say is all that is known."""

    served = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def city(self) -> dict[str, Any]:
        """Return the configuration of the page."""
        path = self.folder / "tileset.json"
        try:
            document = json.loads(path.read_bytes())
            root = document["root"]
            centre = _centre_of(root)
            said = document.get("metadata", {}).get("properties", document.get("extras", {}))
            crs = str(said.get("crs", ""))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(
                f"is no tileset of boxes in one frame ({error!r})",
                path=str(path),
                hint="cimkit check says what is wrong.",
            ) from error
        counts = {"buildings": _buildings_of(self.folder / "manifest.json")}
        if counts["buildings"] is None:
            counts["buildings"] = int("content" in root or "implicitTiling" in root)
        return {
            "title": self.folder.resolve().name,
            "crs": crs,
            "counts": {**counts, "addresses": 0, "links": 0},
            "tilesets": _tilesets(self.folder, ""),
            "centre": centre,
            "street": None,
            "height_top": HEIGHT_TOP_M,
            "has": {"search": False, "details": False, "attributes": False},
        }

    def search(self, text: str, limit: int) -> list[dict[str, Any]]:
        """Return nothing."""
        return []

    def building(self, name: str) -> dict[str, Any] | None:
        """Return nothing."""
        return None

    def attributes(self, names: list[str]) -> dict[str, list[str | None]]:
        """Return nothing for each."""
        return {"quality": [None] * len(names), "link_state": [None] * len(names)}


def _buildings_of(manifest: Path) -> int | None:
    """Number of buildings that a manifest states."""
    try:
        return int(json.loads(manifest.read_bytes())["counts"]["buildings"])
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _centre_of(root: Any) -> dict[str, float]:
    """Foot of the middle of a root box, in degrees, and how far the box reaches."""
    box = np.array(root["boundingVolume"]["box"], dtype=np.float64).reshape(4, 3)
    matrix = np.array(root["transform"], dtype=np.float64).reshape(4, 4).T
    foot = box[0] - [0.0, 0.0, np.abs(box[1:, 2]).sum()]
    earth = matrix[:3, :3] @ foot + matrix[:3, 3]
    to_geodetic = pyproj.Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
    lon, lat, height = to_geodetic.transform(*earth.tolist())
    radius = float(np.hypot(*np.abs(box[1:, :2]).sum(axis=0)))
    return {"lon": lon, "lat": lat, "height": height, "radius": max(radius, 60.0)}


class CityAnswers:
    """Of a city folder: from its GeoPackage, row by row as it is asked."""

    served = "tiles/"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        city = City(folder)
        self.manifest, self.crs = city.manifest, city.crs
        self.undulation = float(city.manifest["parameters"]["undulation"] or 0.0)
        self._row_of: dict[str, int] | None = None
        self._city: dict[str, Any] | None = None
        self._finder: Finder | None = None
        self._boxes: FloatArray | None = None
        self._fids_of_boxes: list[int] = []
        self._placement: Placement | None = None

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Rows of a query; each has a connection of its own, for threads do not share one."""
        name = (self.folder / "city.gpkg").resolve().as_uri()
        connection = sqlite3.connect(f"{name}?mode=ro&immutable=1", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise FormatError(
                f"is damaged ({error})",
                path=str(self.folder / "city.gpkg"),
                hint="cimkit check says what else is; build the city again.",
            ) from error
        finally:
            connection.close()

    def _has_links(self) -> bool:
        return bool(self.manifest["counts"].get("addresses"))

    def city(self) -> dict[str, Any]:
        """Return the configuration of the page, which is found out once."""
        if self._city is None:
            self._city = self._describe()
        return self._city

    def _describe(self) -> dict[str, Any]:
        counts = self.manifest["counts"]
        centre = {"lon": 0.0, "lat": 0.0, "height": 0.0, "radius": 500.0}
        street, box = None, self._all_boxes()
        if len(box):
            places = (box[:, :2] + box[:, 2:]) / 2
            middle = np.quantile(places, [0.02, 0.98], axis=0).mean(axis=0)
            away = np.hypot(*(places - middle).T)
            x, y = middle.tolist()
            lon, lat, height = self._geodetic(x, y, self._mean_ground())
            radius = max(float(np.quantile(away, 0.95)), 100.0)
            centre = {"lon": lon, "lat": lat, "height": height, "radius": radius}
            street = self._street(np.median(places, axis=0))
        return {
            "title": self.folder.resolve().name,
            "crs": self.crs,
            "counts": {
                name: counts.get(name, 0) for name in ("buildings", "addresses", "links")
            },
            "tilesets": _tilesets(self.folder, "tiles/"),
            "centre": centre,
            "street": street,
            "height_top": self._height_top(),
            "has": {"search": True, "details": True, "attributes": True},
        }

    def _height_top(self) -> float:
        """Metres at which the colours of heights end: the highest 2 % are all alike."""
        heights = [row["height"] for row in self._rows("SELECT height FROM buildings")]
        known = [height for height in heights if height is not None]
        top = float(np.quantile(known, 0.98)) if known else 0.0
        return max(math.ceil(top / 10) * 10.0, 20.0)

    def _street(self, middle: FloatArray) -> dict[str, list[float]] | None:
        """Where to stand near a place, and what to look at: longitude, latitude and height."""
        box = self._all_boxes()
        away = np.hypot(*((box[:, :2] + box[:, 2:]) / 2 - middle).T)
        fids = np.array(self._fids_of_boxes)[np.argsort(away, kind="stable")[:STREET_BUILDINGS]]
        rows = self._rows(
            "SELECT geom, height, h_ground FROM buildings WHERE fid IN "
            "(SELECT value FROM json_each(?)) ORDER BY fid",
            json.dumps(sorted(fids.tolist())),
        )
        outlines = [shapely.from_wkb(row["geom"][_head_size(row["geom"]) :]) for row in rows]
        height = np.array([row["height"] or 0.0 for row in rows])
        found = street_view(outlines, height, middle)
        if found is None:
            return None
        ground = rows[found.nearest]["h_ground"] or 0.0
        ends = {"eye": found.eye, "target": found.target}
        return {name: [*self._geodetic(x, y, ground + z)] for name, (x, y, z) in ends.items()}

    def _all_boxes(self) -> FloatArray:
        """Boxes of all buildings in the CRS, from the heads of their geometries."""
        if self._boxes is None:
            heads = self._rows("SELECT fid, substr(geom, 1, 40) AS head FROM buildings")
            found = [(row["fid"], _envelope(row["head"])) for row in heads]
            known = [(fid, box) for fid, box in found if box is not None]
            self._fids_of_boxes = [fid for fid, _ in known]
            self._boxes = np.array([box for _, box in known]).reshape(-1, 4)
        return self._boxes

    def _geodetic(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Longitude, latitude (degrees) and ellipsoidal height of a place in the CRS."""
        if self._placement is None:
            self._placement = Placement(self.crs, self.undulation, (x, y, 0.0))
        lon, lat, height = self._placement.to_geodetic(np.array([[x, y, z]]))[0].tolist()
        return lon, lat, height

    def _place(self, row: sqlite3.Row) -> dict[str, float]:
        """Roof of a building, and how far it reaches."""
        box = _envelope(row["head"]) or (0.0, 0.0, 0.0, 0.0)
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        lon, lat, height = self._geodetic(x, y, row["h_ground"] + row["height"])
        radius = math.hypot(box[2] - box[0], box[3] - box[1]) / 2
        return {"lon": lon, "lat": lat, "height": height, "radius": max(radius, row["height"])}

    def search(self, text: str, limit: int) -> list[dict[str, Any]]:
        """Return what is found by a text: codes and identifiers first, then addresses.

        An address without a building is found where its point lies; its `building_id` is "".
        """
        hits = self._all_names().find(text, min(max(limit, 1), SEARCH_MAX))
        return [row for hit in hits if (row := self._found(hit)) is not None]

    def _all_names(self) -> Finder:
        """Names of all buildings and addresses."""
        if self._finder is None:
            buildings = self._rows("SELECT fid, building_id, code FROM buildings")
            addresses: list[sqlite3.Row] = []
            if self._has_links():
                addresses = self._rows(
                    "SELECT a.fid, a.address_text, b.fid AS building FROM addresses a "
                    "LEFT JOIN links l ON l.address_id = a.address_id "
                    "LEFT JOIN buildings b ON b.building_id = l.building_id"
                )
            self._finder = Finder(
                ((row["fid"], row["building_id"], row["code"] or "") for row in buildings),
                ((row["fid"], row["address_text"] or "", row["building"]) for row in addresses),
            )
        return self._finder

    def _found(self, hit: Hit) -> dict[str, Any] | None:
        """Return a row of a search; None for an address that stands nowhere."""
        text = None
        if hit.address is not None:
            (row,) = self._rows("SELECT * FROM addresses WHERE fid = ?", hit.address)
            text = row["address_text"]
            if hit.building is None:
                return self._lonely(row)
        columns = "building_id, code, h_ground, height, address, substr(geom, 1, 40) AS head"
        (row,) = self._rows(f"SELECT {columns} FROM buildings WHERE fid = ?", hit.building)  # noqa: S608
        kind = "building" if text is None else "address"
        return {
            "kind": kind,
            "building_id": row["building_id"],
            "code": row["code"] or "",
            "text": text or row["address"] or row["building_id"],
            **self._place(row),
        }

    def _lonely(self, row: sqlite3.Row) -> dict[str, Any] | None:
        """Return the row of an address without a building, at its point on mean ground."""
        if row["geom"] is None:
            return None
        point = shapely.from_wkb(row["geom"][_head_size(row["geom"]) :])
        if point.is_empty:
            return None
        lon, lat, height = self._geodetic(point.x, point.y, self._mean_ground())
        place = {"lon": lon, "lat": lat, "height": height, "radius": 10.0}
        named = {"building_id": "", "code": "", "text": row["address_text"]}
        return {"kind": "address", **named, **place}

    def _mean_ground(self) -> float:
        (row,) = self._rows("SELECT avg(h_ground) AS z FROM buildings")
        return float(row["z"] or 0.0)

    def building(self, name: str) -> dict[str, Any] | None:
        """Return what is known of a building."""
        fid = self._fids().get(name)
        rows = self._rows(
            "SELECT *, substr(geom, 1, 40) AS head FROM buildings WHERE fid = ?", fid
        )
        if not rows:
            return None
        row = rows[0]
        keys = [key for key in row.keys() if key not in _LEFT_OUT and key != "head"]  # noqa: SIM118
        return {
            "building_id": name,
            "code": row["code"] or "",
            **self._place(row),
            "attributes": {key: row[key] for key in keys},
            "quality": {key: row[key] for key in _QUALITY if key in row.keys()},  # noqa: SIM118
            "addresses": self._links_of(name) if self._has_links() else [],
            "issues": [
                dict(issue)
                for issue in self._rows(
                    "SELECT severity, code, message FROM issues WHERE id = ? ORDER BY fid", name
                )
            ],
        }

    def _fids(self) -> dict[str, int]:
        """Row of each building: the layer has no index by name, and a scan takes 0.1 s."""
        if self._row_of is None:
            rows = self._rows("SELECT fid, building_id FROM buildings")
            self._row_of = {row["building_id"]: row["fid"] for row in rows}
        return self._row_of

    def _links_of(self, name: str) -> list[dict[str, Any]]:
        """Return the addresses of a building, the primary one first."""
        rows = self._rows(
            "SELECT a.address_id, a.address_text AS text, l.rule, l.confidence, l.distance_m, "
            'l."primary", l.conflicts, l.matched_elements AS evidence FROM links l '
            "JOIN addresses a ON a.address_id = l.address_id WHERE l.building_id = ? "
            'ORDER BY l."primary" DESC, l.confidence DESC, a.address_id',
            name,
        )
        return [dict(row) for row in rows]

    def names(self) -> list[str]:
        """Return all buildings."""
        rows = self._rows("SELECT building_id FROM buildings ORDER BY building_id")
        return [str(row["building_id"]) for row in rows]

    def attributes(self, names: list[str]) -> dict[str, list[str | None]]:
        """Return quality and state of the links of some buildings."""
        names = names[:IDS_MAX]
        asked = json.dumps(names)
        some = "(SELECT value FROM json_each(?))"
        passed = {
            row["building_id"]: "good" if row["passes"] else "doubtful"
            for row in self._rows(
                f"SELECT building_id, passes FROM buildings WHERE building_id IN {some}",  # noqa: S608
                asked,
            )
        }
        state = dict.fromkeys(passed, "unlinked")
        if self._has_links():
            for row in self._rows(
                f"SELECT building_id, max(conflicts <> '') AS bad FROM links "  # noqa: S608
                f"WHERE building_id IN {some} GROUP BY building_id",
                asked,
            ):
                state[row["building_id"]] = _CONFLICT if row["bad"] else "linked"
        return {
            "quality": [passed.get(name) for name in names],
            "link_state": [state.get(name) for name in names],
        }


def _head_size(geometry: bytes) -> int:
    """Bytes before the WKB in a geometry of a GeoPackage (OGC 12-128r18, 2.1.3.1.1)."""
    return 8 + (0, 32, 48, 48, 64)[geometry[3] >> 1 & 7]


def _envelope(head: bytes | None) -> tuple[float, float, float, float] | None:
    """Box of a geometry of a GeoPackage from its head: xmin, ymin, xmax, ymax."""
    if head is None or len(head) < 40 or head[:2] != b"GP":
        return None
    order = "<" if head[3] & 1 else ">"
    if not head[3] >> 1 & 7:
        return None
    west, east, south, north = struct.unpack_from(f"{order}4d", head, 8)
    return west, south, east, north
