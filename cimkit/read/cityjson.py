"""Models from CityJSON text sequences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cimkit.errors import FormatError
from cimkit.tables import Models
from cimkit.tables.models import SURFACE_NAMES

_WHOLE = "Write it again, or leave it out."


def read_models(path: str | Path, *, lod: str = "best", crs: str = "") -> Models:
    """Solids from a CityJSONSeq file.

    Parameters
    ----------
    path : str or Path
        A ``.city.jsonl`` file, as cimkit and the 3DBAG write it.
    lod : str, default "best"
        A level of detail such as ``"1.2"``, ``"best"`` for the highest of each building, or
        ``"all"``.
    crs : str, optional
        Written into the table.

    Returns
    -------
    Models
        In the order of the file.

    Raises
    ------
    FormatError
        If a line is no CityJSON, or a solid points outside its vertices.
    """
    path = Path(path)
    parts = _Parts()
    for number, feature, scale, translate in _features(path):
        try:
            vertices = np.asarray(feature["vertices"], dtype=np.float64).reshape(-1, 3)
            for name, thing in feature["CityObjects"].items():
                for geometry in thing.get("geometry", ()):
                    level = str(geometry["lod"])
                    if geometry["type"] == "Solid" and lod in ("best", "all", level):
                        parts.add(name, geometry, vertices * scale + translate)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise FormatError(
                f"is no valid CityJSON feature ({error!r})",
                path=str(path),
                where=f"line {number}",
                hint=_WHOLE,
            ) from error
    models = parts.models(crs)
    return models.best() if lod == "best" else models


def _features(path: Path) -> Iterator[tuple[int, dict[str, Any], Any, Any]]:
    """Line number, feature, scale and translation of each feature of a file."""
    scale, translate = np.ones(3), np.zeros(3)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise FormatError(
                        "is no CityJSON", path=str(path), where=f"line {number}", hint=_WHOLE
                    )
                if "transform" in value:
                    scale = np.array(value["transform"]["scale"], dtype=np.float64)
                    translate = np.array(value["transform"]["translate"], dtype=np.float64)
                if value.get("type") == "CityJSONFeature":
                    yield number, value, scale, translate
    except OSError as error:
        raise FormatError(
            f"cannot be read ({error.strerror})", path=str(path), hint="Check the path."
        ) from error
    except (ValueError, KeyError) as error:
        raise FormatError(f"is no CityJSON ({error})", path=str(path), hint=_WHOLE) from error


class _Parts:
    """Rows of a `Models` table while it grows."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.lods: list[str] = []
        self.vertices: list[Any] = [np.empty((0, 3))]
        self.n_vertices = [0]
        self.ring_vertex: list[int] = []
        self.ring_offsets, self.face_offsets, self.solid_offsets = [0], [0], [0]
        self.semantics: list[int] = []

    def add(self, name: str, geometry: dict[str, Any], vertices: Any) -> None:
        """Add one solid; only the vertices that it uses, in the order of their first use."""
        place: dict[int, int] = {}
        first = self.n_vertices[-1]
        for shell in geometry["boundaries"]:
            for face in shell:
                for ring in face:
                    rows = [first + place.setdefault(v, len(place)) for v in ring]
                    self.ring_vertex += rows
                    self.ring_offsets.append(len(self.ring_vertex))
                self.face_offsets.append(len(self.ring_offsets) - 1)
        self.vertices.append(vertices[np.array(list(place), dtype=np.int64)])
        self.n_vertices.append(first + len(place))
        self.solid_offsets.append(len(self.face_offsets) - 1)
        self.names.append(name)
        self.lods.append(str(geometry["lod"]))
        kinds = [surface["type"] for surface in geometry["semantics"]["surfaces"]]
        codes = [SURFACE_NAMES.index(kind) for kind in kinds]
        self.semantics += [codes[v] for shell in geometry["semantics"]["values"] for v in shell]

    def models(self, crs: str) -> Models:
        """The table."""
        return Models(
            self.names,  # type: ignore[arg-type]
            self.lods,  # type: ignore[arg-type]
            np.concatenate(self.vertices),
            np.array(self.n_vertices),
            np.array(self.ring_vertex, dtype=np.int64),
            np.array(self.ring_offsets),
            np.array(self.face_offsets),
            np.array(self.solid_offsets),
            np.array(self.semantics, dtype=np.uint8),
            crs,
        )
