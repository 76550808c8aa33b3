"""Rows of `Boundaries`, while a CityJSON file is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from cimkit.limits import COORDINATE_MAX, RING_CORNERS_MAX, SHELL_CORNERS_MAX
from cimkit.tables import Issue
from cimkit.tables._columns import TEXT, BoolArray, FloatArray, IntArray
from cimkit.tables.boundaries import Boundaries, Primitive

KINDS = {kind.name: kind for kind in Primitive}

OTHER_GEOMETRIES = ("MultiPoint", "MultiLineString", "GeometryInstance")
"""Geometries that are neither surface nor solid themselves."""


@dataclass(frozen=True)
class Frame:
    """What stored numbers mean: number * scale + translate, in metres."""

    scale: FloatArray
    translate: FloatArray
    base: list[FloatArray] = field(default_factory=list)
    """Stored coordinates of the origin of all tables: the first vertex of the file."""


class BoundaryRows:
    """A table of boundaries that grows by features.

    Parameters
    ----------
    frame : Frame
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.issues: list[Issue] = []
        self.n_corners = 0
        self._names: list[tuple[str, str, str, int, int, bool]] = []
        self._vertices: list[FloatArray] = []
        self._n_vertices = 0
        self._corners: list[IntArray] = []
        self._counts: tuple[list[int], ...] = ([], [], [], [], [])

    def add_feature(self, stored: Any, things: Any) -> None:
        """Add all geometries of some city objects that share vertices.

        Parameters
        ----------
        stored : list
            Vertices as they stand in the file.
        things : dict
            City objects by identifier.
        """
        if not isinstance(things, dict):
            self._fault("", "CityObjects is no object")
            return
        vertices, usable = self._placed(stored)
        seen: dict[str, bool] = {}
        for name, thing in things.items():
            if not isinstance(thing, dict):
                self._fault(sound(name), "the city object is no object")
                continue
            top = _topmost(name, things)
            kind, names = things[top].get("type"), (sound(name), sound(top))
            found = self._add_object(names, kind == "Building", thing, usable)
            seen[names[1]] = seen.get(names[1], kind == "CityObjectGroup") or found
        for name in sorted(name for name, found in seen.items() if not found):
            message = "it has no surface and no solid. Give it one, or leave it out."
            self.issues.append(
                Issue("ERROR", "SOLID_906_PRIMITIVE_NO_GEOMETRY", "buildings", name, message)
            )
        self._keep(vertices)

    def add_templates(self, templates: Any) -> None:
        """Add the geometry templates of a file, each as an object of its own."""
        if not templates:
            return
        if not isinstance(templates, dict) or not isinstance(templates.get("templates"), list):
            self._fault("", "geometry-templates cannot be read")
            return
        try:
            vertices = _coordinates(templates.get("vertices-templates"))
        except (TypeError, ValueError, OverflowError) as error:
            self._fault("", f"vertices-templates cannot be read ({error})")
            return
        vertices, usable = _usable(vertices)
        for number, geometry in enumerate(templates["templates"]):
            name = f"template {number}"
            self._add_geometry((name, name), False, number, geometry, usable)
        self._keep(vertices)

    def _placed(self, stored: Any) -> tuple[FloatArray, BoolArray]:
        """Vertices relative to the origin, and which of them are coordinates."""
        frame = self.frame
        try:
            numbers = _coordinates(stored)
        except (TypeError, ValueError, OverflowError) as error:
            self._fault("", f"vertices cannot be read ({error})")
            numbers = np.empty((0, 3))
        with np.errstate(over="ignore", invalid="ignore"):
            _, usable = _usable(numbers * frame.scale + frame.translate)
            if not frame.base and usable.any():
                frame.base.append(numbers[usable][0])
            # Whole numbers are taken from each other before they are scaled: exact.
            local = (numbers - frame.base[0]) * frame.scale if frame.base else numbers
        return np.where(usable[:, None], local, 0.0), usable

    def _keep(self, vertices: FloatArray) -> None:
        """Append vertices; corners were numbered from their first one."""
        self._vertices.append(vertices)
        self._n_vertices += len(vertices)

    def _fault(self, name: str, what: str) -> None:
        message = f"{what}. Write the geometry again."
        self.issues.append(
            Issue("ERROR", "SOLID_901_INVALID_INPUT_FILE", "buildings", name, message)
        )

    def _add_object(
        self, names: tuple[str, str], building: bool, thing: dict[str, Any], usable: BoolArray
    ) -> bool:
        """Add the geometries of one object; whether it has a surface or solid."""
        geometries = thing.get("geometry") or ()
        if not isinstance(geometries, (list, tuple)):
            self._fault(names[0], "its geometry is no list")
            return True
        found = False
        for number, geometry in enumerate(geometries):
            found |= self._add_geometry(names, building, number, geometry, usable)
        return found

    def _add_geometry(
        self,
        names: tuple[str, str],
        building: bool,
        number: int,
        geometry: Any,
        usable: BoolArray,
    ) -> bool:
        """Add one geometry, or a finding; whether it is a surface, a solid, or an instance."""
        said = geometry if isinstance(geometry, dict) else {}
        kind = str(said.get("type"))
        if kind in OTHER_GEOMETRIES:
            return kind == "GeometryInstance"
        lod = sound(str(said.get("lod", ""))[:20])
        place = f"LoD{lod} {kind} {number}" if kind in KINDS else f"geometry {number}"
        try:
            solids = _solids(kind, said.get("boundaries"))
            corners, counts = _flattened(solids, usable)
        except (TypeError, ValueError, OverflowError) as error:
            self._fault(names[0], f"{place}: {error}")
            return True
        if max(counts[0], default=0) > RING_CORNERS_MAX or len(corners) > SHELL_CORNERS_MAX:
            self._too_large(names[0], place)
            return True
        self._corners.append(corners + self._n_vertices)
        self.n_corners += len(corners)
        for column, values in zip(self._counts, counts, strict=True):
            column.extend(values)
        self._names.append((*names, lod, number, int(KINDS[kind]), building))
        self._check_semantics(names[0], place, said.get("semantics"), solids, KINDS[kind])
        return True

    def _too_large(self, name: str, place: str) -> None:
        message = (
            f"{place}: more than {RING_CORNERS_MAX:,} points in a ring or "
            f"{SHELL_CORNERS_MAX:,} in all; it was not checked. Cut it into parts."
        )
        self.issues.append(Issue("ERROR", "SOLID_TOO_LARGE", "buildings", name, message))

    def _check_semantics(
        self, name: str, place: str, semantics: Any, solids: Any, kind: Primitive
    ) -> None:
        """Find values that do not fit the faces, or the surfaces."""
        if semantics is None:
            return
        try:
            surfaces, values = semantics["surfaces"], semantics["values"]
            _ = [surface["type"] for surface in surfaces]
            if values is not None:
                _compare(values, solids, kind, len(surfaces))
        except (KeyError, TypeError, ValueError) as error:
            message = f"{place}: the semantics do not fit ({error}). Write them again."
            self.issues.append(
                Issue("WARNING", "SEMANTICS_INVALID", "buildings", name, message)
            )

    def table(self) -> tuple[Boundaries, list[Issue]]:
        """Return what was added, and the findings."""
        names = list(zip(*self._names, strict=True)) or [()] * 6
        base = self.frame.base[0] if self.frame.base else np.zeros(3)
        origin = base * self.frame.scale + self.frame.translate
        borders = [np.concatenate([[0], np.cumsum(c)]).astype(np.int64) for c in self._counts]
        table = Boundaries(
            np.array(names[0], dtype=TEXT),
            np.array(names[1], dtype=TEXT),
            np.array(names[2], dtype=TEXT),
            np.array(names[3], dtype=np.int64),
            np.array(names[4], dtype=np.uint8),
            np.array(names[5], dtype=np.uint8),
            np.concatenate([np.empty((0, 3)), *self._vertices]),
            np.concatenate([np.empty(0, np.int64), *self._corners]),
            borders[0],
            borders[1],
            borders[2],
            borders[3],
            borders[4],
            (float(origin[0]), float(origin[1]), float(origin[2])),
        )
        return table, self.issues


def _topmost(name: str, things: dict[str, Any]) -> str:
    """The topmost parent that is known; of a circle, the object itself."""
    top, seen = name, {name}
    while True:
        thing = things[top]
        parents = thing.get("parents") if isinstance(thing, dict) else None
        above = parents[0] if isinstance(parents, list) and parents else None
        if (
            not isinstance(above, str)
            or not isinstance(things.get(above), dict)
            or above in seen
        ):
            return top
        seen.add(above)
        top = above


def _coordinates(stored: Any) -> FloatArray:
    """Numbers as rows of three."""
    numbers = np.asarray(stored if stored else np.empty((0, 3)))
    if numbers.ndim != 2 or numbers.shape[1] != 3 or numbers.dtype.kind not in "iuf":
        raise ValueError("rows of three numbers expected")
    return numbers.astype(np.float64)


def _usable(vertices: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Vertices, those that are no coordinates as 0; and which are."""
    usable = np.asarray((np.abs(vertices) <= COORDINATE_MAX).all(axis=1))
    return np.where(usable[:, None], vertices, 0.0), usable


def sound(text: str) -> str:
    """Text that can be written: JSON allows half of a pair of surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _solids(kind: str, boundaries: Any) -> list[Any]:
    """Boundaries as solids of shells of faces of rings."""
    if kind not in KINDS:
        raise ValueError(f"{sound(kind[:40])!r} is no type of geometry")
    if type(boundaries) is not list:
        raise ValueError("boundaries are missing")
    if KINDS[kind] <= Primitive.CompositeSurface:
        return [[boundaries]]
    return [boundaries] if kind == Primitive.Solid.name else boundaries


def _flattened(solids: list[Any], usable: BoolArray) -> tuple[IntArray, tuple[list[int], ...]]:
    """Corners, and lengths of rings, faces, shells, solids and the primitive."""
    counts: list[list[int]] = [[len(solids)]]
    level: list[Any] = solids
    for _ in range(4):
        if not all(type(item) is list for item in level):
            raise ValueError("boundaries are not nested as their type demands")
        counts.insert(0, [len(item) for item in level])
        level = list(chain.from_iterable(level))
    corners = np.array(level) if level else np.empty(0, dtype=np.int64)
    if corners.ndim != 1 or corners.dtype.kind != "i":
        raise ValueError("a boundary holds something else than row numbers")
    if len(corners) and not 0 <= corners.min() <= corners.max() < len(usable):
        raise ValueError("a boundary points outside the vertices")
    if not usable[corners].all():
        raise ValueError("a vertex is no coordinate")
    return corners.astype(np.int64), tuple(counts)


def _compare(values: Any, solids: list[Any], kind: Primitive, n_surfaces: int) -> None:
    """Raise ValueError where values are not one row number, or null, for each face."""
    if kind <= Primitive.CompositeSurface:
        values = [[values]]
    elif kind == Primitive.Solid:
        values = [values]
    shells = [shell for solid in solids for shell in solid]
    given = [shell for solid in values for shell in (solid or ())]
    if len(given) != len(shells):
        raise ValueError(f"{len(shells)} shells, {len(given)} lists of values")
    for faces, row in zip(shells, given, strict=True):
        if row is None:
            continue
        if len(row) != len(faces):
            raise ValueError(f"{len(faces)} faces, {len(row)} values")
        if not all(v is None or (type(v) is int and 0 <= v < n_surfaces) for v in row):
            raise ValueError("a value is no row of surfaces")
