"""A finished city folder, read back as tables."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyogrio
import rasterio

from cimkit.errors import FormatError, InputError
from cimkit.read.cityjson import read_models
from cimkit.read.lookup import LinkedAddress, Lookup, Place, to_metres
from cimkit.tables import (
    Addresses,
    Buildings,
    Footprints,
    Issue,
    Links,
    Models,
    Quality,
    Terrain,
)
from cimkit.tables.elements import ELEMENTS, Elements
from cimkit.tables.quality import TEXTS
from cimkit.tables.storeys import Rooms, Storeys

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cimkit.tables._columns import FloatArray, IntArray

CITY_FORMAT = "cimkit city 1"
"""What the manifest of a city folder says it is."""


class City:
    """A city folder; each table is read when it is first asked for.

    Parameters
    ----------
    path : str or Path
        Folder that `cimkit.build` left.

    Raises
    ------
    InputError
        If the folder holds no manifest.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest = _read_manifest(self.path)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n:,} {name}" for name, n in self.counts.items())
        return f"City({self.path}: {counts})"

    @property
    def crs(self) -> str:
        """Working CRS of the build."""
        return str(self.manifest["parameters"]["crs"])

    def view(self, **keys: Any) -> Any:
        """Show the city in a browser, or in a notebook.

        Parameters
        ----------
        **keys
            Of `cimkit.view.view_city`.

        Returns
        -------
        cimkit.view.CityView
            Its `url` opens in a browser; in a notebook it shows itself.
        """
        # By name: what speaks to browsers lies floors above the reading of files.
        return import_module("cimkit.view").view_city(self.path, **keys)

    @cached_property
    def run(self) -> dict[str, Any]:
        """Times, workers and memory of the build that made it; empty if nobody kept them."""
        try:
            text = (self.path / "run.json").read_text(encoding="utf-8")
            return dict(json.loads(text))
        except (FileNotFoundError, ValueError):
            return {}

    @property
    def counts(self) -> dict[str, int]:
        """Buildings, addresses, links and so on, as the manifest states them."""
        return dict(self.manifest["counts"])

    @cached_property
    def footprints(self) -> Footprints:
        """Cleaned footprints, in the order of the buildings."""
        return Footprints.from_polygons(
            self._layer("buildings")["building_id"],
            self._layer("buildings").geometry.to_numpy(),
            floors=self._layer("buildings")["floors"],
            crs=self.crs,
            label=self._layer("buildings")["label"].fillna(""),
        )

    @cached_property
    def buildings(self) -> Buildings:
        """Attributes of the buildings."""
        return Buildings.from_pandas(
            self._layer("buildings").fillna({"code": "", "reason": ""})
        )

    @cached_property
    def quality(self) -> Quality:
        """Quality and measures of the models, in the order of the buildings."""
        return Quality.from_pandas(self._layer("buildings").fillna(dict.fromkeys(TEXTS, "")))

    @cached_property
    def addresses(self) -> Addresses:
        """Addresses, with or without a place."""
        if not self.counts["addresses"]:
            return Addresses.empty(self.crs)
        frame = self._layer("addresses")
        return Addresses(
            frame["address_id"],
            frame["address_text"].fillna(""),
            frame.geometry.x.to_numpy(),
            frame.geometry.y.to_numpy(),
            frame["building_ref"].fillna(""),
            frame["source_row"],
            self.crs,
            elements=Elements.of(
                len(frame), **{n: frame[n].fillna("") for n in ELEMENTS if n in frame}
            ),
        )

    @cached_property
    def links(self) -> Links:
        """Pairs of building and address, and the addresses without one."""
        without = pd.DataFrame(columns=["address_id", "reason"])
        if self.counts["addresses"]:
            addresses = self._layer("addresses").rename(columns={"link_reason": "reason"})
            without = addresses[addresses["link_state"] == "unlinked"]
        return Links.from_pandas(self._layer("links"), without)

    @cached_property
    def storeys(self) -> Storeys:
        """Storeys of the buildings; none where the job asked for none."""
        if not self.counts.get("storeys"):
            return Storeys.empty()
        return Storeys.from_pandas(self._layer("storeys"))

    @cached_property
    def rooms(self) -> Rooms:
        """Rooms in the buildings; those of no building stand among the unlinked addresses."""
        if not self.counts.get("rooms"):
            return Rooms.empty()
        return Rooms.from_pandas(self._layer("rooms"))

    @cached_property
    def issues(self) -> list[Issue]:
        """What was found, the grave ones first."""
        frame = self._layer("issues").fillna("")
        return [Issue(*row) for row in frame[list(Issue._fields)].itertuples(index=False)]

    @cached_property
    def terrain(self) -> Terrain | None:
        """Ground model, None where none was measured. Filled cells count as measured here."""
        path = self.path / "terrain.tif"
        if not path.exists():
            return None
        with rasterio.open(path) as file:
            z = file.read(1)[::-1]
            transform = file.transform
        south = transform.f + transform.e * z.shape[0]
        return Terrain(z, np.isfinite(z), transform.c, south, transform.a, self.crs)

    def file_sums(self) -> dict[str, dict[str, int | str]]:
        """Size and SHA-256 of each file that the manifest should know."""
        own = {"manifest.json", "run.json"}
        files = sorted(file for file in self.path.rglob("*") if file.is_file())
        names = {file: file.relative_to(self.path).as_posix() for file in files}
        return {
            name: {
                "bytes": file.stat().st_size,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
            for file, name in names.items()
            if name not in own
        }

    def locate(self, lon: float, lat: float, *, within: float = 3.0) -> Place | None:
        """The building at a place in degrees, with its addresses and why it is the one.

        Parameters
        ----------
        lon, lat : float
            Degrees of the datum of the city's CRS: CGCS2000 in China.
        within : float, default 3.0
            Metres: outside all footprints the nearest building up to here is taken.

        Returns
        -------
        Place or None
            None where no building stands.

        Raises
        ------
        ParameterError
            If the place is none in degrees, or `within` is not in [0, 1000].
        """
        rows, distance = self.locate_xy([to_metres(lon, lat, self.crs)], within=within)
        row, gap = int(rows[0]), float(distance[0])
        if row < 0:
            return None
        why = "inside its footprint"
        if gap > 0.0:
            why = f"{gap:.2f} m outside its footprint, the nearest within {within:g} m"
        name, code = (str(c[row]) for c in (self.buildings.building_id, self.buildings.code))
        return Place(name, code, self._linked.get(name, []), gap, why)

    def locate_xy(self, xy: ArrayLike, *, within: float = 0.0) -> tuple[IntArray, FloatArray]:
        """Row of the building at each point, -1 for none, and its distance in metres.

        Parameters
        ----------
        xy : float64 array, shape (n, 2)
            East, north in the CRS of the city, metres.
        within : float, default 0.0
            As in `locate`.

        Returns
        -------
        rows : int64 array, shape (n,)
            Of `buildings` and `footprints`; of several that cover a point the smallest.
        distance : float64 array, shape (n,)
            0 inside, NaN for none.
        """
        return self._lookup.find(xy, within=within)

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self.footprints)

    @cached_property
    def _linked(self) -> dict[str, list[LinkedAddress]]:
        """Addresses of each building, the primary one first."""
        addresses, links = self.addresses, self.links
        columns = (addresses.address_id.tolist(), addresses.address_text.tolist())
        text = dict(zip(*columns, strict=True))
        order = np.lexsort((links.address_id, -links.confidence, ~links.primary))
        found: dict[str, list[LinkedAddress]] = {}
        for k in order.tolist():
            name = str(links.address_id[k])
            confidence, primary = float(links.confidence[k]), bool(links.primary[k])
            row = LinkedAddress(name, text[name], str(links.rule[k]), confidence, primary)
            found.setdefault(str(links.building_id[k]), []).append(row)
        return found

    def models(self, lod: str = "best") -> Models:
        """Solids in the order of the buildings: of one level of detail, best, or all."""
        return read_models(self.path / "models.city.jsonl", lod=lod, crs=self.crs)

    def _layer(self, name: str) -> Any:
        """One layer of city.gpkg, read once."""
        layers: dict[str, Any] = self.__dict__.setdefault("_layers", {})
        if name not in layers:
            path = self.path / "city.gpkg"
            try:
                layers[name] = pyogrio.read_dataframe(path, layer=name)
            except pyogrio.errors.DataSourceError as error:
                raise FormatError(
                    f"cannot be read ({error})", path=str(path), hint="Build the city again."
                ) from error
        return layers[name]


def _read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a city folder, if it is one."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != CITY_FORMAT:
        raise InputError(
            "is no city: it holds no manifest.json that can be read",
            path=str(folder),
            hint="Name the folder that `cimkit build` made.",
        )
    return manifest


def open_city(path: str | Path) -> City:
    """Open a city folder.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    City
        With `buildings`, `footprints`, `addresses`, `links`, `quality`, `issues`, `terrain`,
        `models(lod)`, `locate(lon, lat)`.
    """
    return City(path)
