"""Subtrees of implicit tiling: which tiles there are, with their boxes and errors."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from cimkit.errors import FormatError, InputError
from cimkit.read.tile_content import finite, natural, read_json
from cimkit.tables._columns import BoolArray

LEVELS_MAX = 32
"""Levels of an implicit tileset that are walked."""

Find = Callable[[str, str, str], None]
"""Takes the code, the file and the message of a finding."""

Cell = tuple[int, int, int]
"""Level, column and row."""


class Implicit(NamedTuple):
    """What the document says of its implicit tiles."""

    levels: int
    subtree_levels: int
    content: str
    subtree: str
    root_box: list[float]
    root_error: float
    semantics: dict[str, str]

    @classmethod
    def of(cls, document: Any) -> Self:
        """Read the root of a tileset.

        Raises
        ------
        FormatError
            If it is no quadtree, or has more levels than are walked.
        """
        root = document["root"]
        plan = root["implicitTiling"]
        if plan["subdivisionScheme"] != "QUADTREE":
            raise FormatError("a quadtree expected")
        levels, below = natural(plan["availableLevels"]), natural(plan["subtreeLevels"])
        if not 0 < below <= 8 or not 0 < levels <= LEVELS_MAX:
            raise FormatError(f"{levels} levels in subtrees of {below}")
        classes = document["schema"]["classes"]
        semantics = {
            str(kind["semantic"]): name
            for name, kind in classes.get("tile", {}).get("properties", {}).items()
            if "semantic" in kind
        }
        return cls(
            levels,
            below,
            root["content"]["uri"],
            plan["subtrees"]["uri"],
            finite(root["boundingVolume"]["box"]),
            finite([root["geometricError"]])[0],
            semantics,
        )

    @property
    def names(self) -> set[str]:
        """Files that are known before any subtree is read."""
        return {self.subtree_name((0, 0, 0))}

    def subtree_name(self, cell: Cell) -> str:
        """File of the subtree that begins with a cell."""
        return _fill(self.subtree, cell)


class ImplicitTile(NamedTuple):
    """One tile: row of its parent, error, box, and content or ""."""

    parent: int
    error: float
    box: list[float]
    uri: str


def _fill(template: str, cell: Cell) -> str:
    for name, value in zip(("level", "x", "y"), cell, strict=True):
        template = template.replace("{" + name + "}", str(value))
    return template


def implicit_tiles(
    folder: Path, plan: Implicit, find: Find, known: set[str]
) -> Iterator[ImplicitTile]:
    """Yield all tiles that the subtrees say to be there, parents before their children."""
    row_of: dict[Cell, int] = {}
    queue: list[Cell] = [(0, 0, 0)]
    row = 0
    for top in queue:  # grows while it is walked
        name = plan.subtree_name(top)
        known.add(name)
        try:
            subtree = _Subtree(folder / name, plan, top)
        except InputError as fault:
            missing = not isinstance(fault, FormatError)
            find("TILE_SUBTREE_MISSING" if missing else "TILE_SUBTREE_BROKEN", name, str(fault))
            continue
        for code, message in subtree.faults:
            find(code, name, message)
        for cell, has_content, box, error in subtree.tiles():
            parent = row_of.get((cell[0] - 1, cell[1] >> 1, cell[2] >> 1), -1)
            if parent < 0 and row:
                find("TILE_AVAILABILITY", name, f"tile {cell} without a parent")
                continue
            row_of[cell] = row
            row += 1
            uri = _fill(plan.content, cell) if has_content else ""
            yield ImplicitTile(parent, error, box, uri)
        queue += subtree.children()


class _Subtree:
    """One subtree file.

    Raises
    ------
    InputError, FormatError
        If it is not there, or cannot be read.
    """

    def __init__(self, path: Path, plan: Implicit, top: Cell) -> None:
        self.plan, self.top = plan, top
        self.faults: list[tuple[str, str]] = []
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError("no such file", path=str(path)) from error
        try:
            self._read(data)
        except FormatError as error:
            raise FormatError(error.what, path=str(path)) from error
        except (ArithmeticError, LookupError, TypeError, ValueError, struct.error) as error:
            what = f"damaged ({type(error).__name__}: {error})"
            raise FormatError(what, path=str(path)) from error

    def _read(self, data: bytes) -> None:
        magic, version, size, binary_size = struct.unpack_from("<4sIQQ", data)
        if (magic, version) != (b"subt", 1) or 24 + size + binary_size != len(data):
            raise FormatError(f"no whole subtree ({len(data):,} bytes)")
        self.json, self.binary = read_json(data[24 : 24 + size]), data[24 + size :]
        levels = self.plan.subtree_levels
        self.total = (4**levels - 1) // 3
        self.available = self._bits(
            "tileAvailability", self.json["tileAvailability"], self.total
        )
        (contents,) = self.json["contentAvailability"]
        self.with_content = self._bits("contentAvailability", contents, self.total)
        below = self.json["childSubtreeAvailability"]
        self.below = self._bits("childSubtreeAvailability", below, 4**levels)
        if (self.with_content & ~self.available).any():
            self.faults.append(("TILE_AVAILABILITY", "content of a tile that is not there"))
        self._check_parents()
        self._read_metadata()

    def _check_parents(self) -> None:
        """Find tiles, and subtrees below, whose parent is not there."""
        whole = np.concatenate([self.available, self.below])
        rows = np.flatnonzero(whole)
        rows = rows[rows > 0]
        if not whole[0] or not whole[(rows - 1) // 4].all():
            self.faults.append(("TILE_AVAILABILITY", "a tile whose parent is not there"))

    def _view(self, index: int) -> bytes:
        view = self.json["bufferViews"][natural(index)]
        start, size = natural(view["byteOffset"]), natural(view["byteLength"])
        if natural(view["buffer"]) or start + size > len(self.binary):
            raise FormatError("a buffer view leaves the buffer")
        return self.binary[start : start + size]

    def _bits(self, name: str, stated: Any, count: int) -> BoolArray:
        """Availability of the tiles of a subtree."""
        if "constant" in stated:
            return np.full(count, bool(natural(stated["constant"])))
        packed = np.frombuffer(self._view(stated["bitstream"]), np.uint8)
        if len(packed) != (count + 7) // 8:
            raise FormatError(f"{name}: {len(packed)} bytes for {count} bits")
        flags = np.unpackbits(packed, bitorder="little")[:count].astype(np.bool_)
        announced = stated.get("availableCount", int(flags.sum()))
        if announced != flags.sum():
            message = f"{name}: {flags.sum()} set, {announced} announced"
            self.faults.append(("TILE_AVAILABLE_COUNT", message))
        return flags

    def _read_metadata(self) -> None:
        """Boxes and errors of the tiles that are there."""
        n = int(self.available.sum())
        table = self.json["propertyTables"][natural(self.json["tileMetadata"])]
        if natural(table["count"]) != n:
            message = f"{table['count']} rows of metadata for {n} tiles"
            self.faults.append(("TILE_METADATA_ROWS", message))
        names = self.plan.semantics
        columns = table["properties"]
        self.box = self._column(columns, names["TILE_BOUNDING_BOX"], n * 12).reshape(n, 12)
        self.error = self._column(columns, names["TILE_GEOMETRIC_ERROR"], n)

    def _column(self, columns: Any, name: str, count: int) -> Any:
        values = np.frombuffer(self._view(columns[name]["values"]), "<f8")
        if not np.isfinite(values).all():
            raise FormatError(f"{name}: a number is not finite")
        if len(values) != count:
            self.faults.append(("TILE_METADATA_ROWS", f"{name}: not {count} numbers"))
            self.available[:] = False  # nobody knows which box belongs to which tile
            return np.zeros(count)
        return values

    def tiles(self) -> Iterator[tuple[Cell, bool, list[float], float]]:
        """Cell, whether it has content, box and error of each tile."""
        for row, place in enumerate(np.flatnonzero(self.available).tolist()):
            down = 0
            while place >= (4 ** (down + 1) - 1) // 3:
                down += 1
            cell = self._below(down, place - (4**down - 1) // 3)
            if cell[0] >= self.plan.levels:
                self.faults.append(("TILE_AVAILABILITY", f"tile {cell} below the last level"))
            content = bool(self.with_content[place])
            yield cell, content, self.box[row].tolist(), float(self.error[row])

    def children(self) -> list[Cell]:
        """First cells of the subtrees below."""
        places = np.flatnonzero(self.below).tolist()
        found = [self._below(self.plan.subtree_levels, place) for place in places]
        return [cell for cell in found if cell[0] < self.plan.levels]

    def _below(self, down: int, place: int) -> Cell:
        """Cell at some place of the curve, some levels below the first."""
        level, x, y = self.top
        across = sum((place >> 2 * bit & 1) << bit for bit in range(down))
        up = sum((place >> 2 * bit + 1 & 1) << bit for bit in range(down))
        return level + down, (x << down) + across, (y << down) + up
