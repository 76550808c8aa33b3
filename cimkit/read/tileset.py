"""Tilesets as `cimkit.write` makes them, read back without trust in a single byte."""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cimkit.errors import FormatError, InputError
from cimkit.read.subtree import Implicit, implicit_tiles
from cimkit.read.tile_content import finite, parse_content, read_json
from cimkit.tables import Issue
from cimkit.tables._columns import TEXT
from cimkit.tables.tilesetcontent import TileContent, TilesetContents

_NAMED_BY_CONTENT = re.compile(r"[0-9a-f]{16}\.(glb|b3dm|json)")
_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")

OTHER_FILES = ("manifest.json",)
OTHER_FOLDERS = ("terrain", "points")
"""What else lies in the folder of a tileset: tilesets of their own, and its manifest."""

KINDS = ("buildings", "ground")
"""What tilesets that can be checked show."""

TILES_MAX = 5_000_000
"""Tiles that are walked: a document that claims more is not one of a city."""

DEPTH_MAX = 200
"""Levels of tiles within a document, which JSON can nest."""

Result = TypeVar("Result")

_BREAKS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What a damaged file makes Python stumble over."""


def read_tileset(path: str | Path) -> TilesetContents:
    """Read the tree of a 3D Tiles tileset; contents follow when asked for.

    Parameters
    ----------
    path : str or Path
        ``tileset.json``, or the folder that holds it. Versions 1.0 and 1.1, explicit with
        external tilesets, and implicit with subtrees.

    Returns
    -------
    TilesetContents
        What is wrong with single tiles, documents and subtrees stands in its `findings`.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it is no JSON, breaks 3D Tiles, or uses a part of it that cimkit does not write:
        other bounding volumes than boxes, other transforms than that of the root, refinement by
        addition, contents that do not lie beside the tileset.

    Examples
    --------
    >>> read_tileset("no such folder/tileset.json")
    Traceback (most recent call last):
    cimkit.errors.InputError: no such folder/tileset.json: no such file. Name a tileset.json.
    """
    path = Path(path)
    path = path / "tileset.json" if path.is_dir() else path
    data = read_bytes(path, "Name a tileset.json.")
    tree = parsed(lambda: _Tree(path, read_json(data)), path)
    return tree.contents()


def read_content(folder: Path, uri: str, kind: str = "buildings") -> TileContent:
    """Read the content of one tile."""
    path = folder / uri
    data = read_bytes(path, "Build the tiles again.")
    _check_name(path, data)
    return parsed(lambda: parse_content(data, kind), path)


def _check_name(path: Path, data: bytes) -> None:
    """Hold the bytes of a file against its name, where that is made of them."""
    named = _NAMED_BY_CONTENT.fullmatch(path.name)
    if named and hashlib.sha256(data).hexdigest()[:16] != path.stem:
        raise FormatError(
            "the bytes do not belong to the name", path=str(path), hint="Build the tiles again."
        )


def read_bytes(path: Path, hint: str) -> bytes:
    """Bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        what = "no such file" if gone else f"cannot be read ({error.strerror})"
        raise InputError(what, path=str(path), hint=hint) from error


def parsed(read: Callable[[], Result], path: Path) -> Result:
    """Call a reader that may stumble over anything in a damaged file."""
    try:
        return read()
    except FormatError as error:
        raise type(error)(error.what, path=str(path), hint=error.hint) from error
    except _BREAKS as error:
        what = f"damaged ({type(error).__name__}: {error})"
        raise FormatError(what, path=str(path), hint="Build the tiles again.") from error


class _Tree:
    """Tiles of a tileset and of those that it refers to, breadth first."""

    def __init__(self, path: Path, document: Any) -> None:
        self.folder = path.parent
        self.version = str(document["asset"]["version"])
        if self.version not in ("1.0", "1.1"):
            raise FormatError(f"3D Tiles 1.0 or 1.1 expected, not {self.version}")
        self.kind = str(document.get("extras", {}).get("content", "buildings"))
        if self.kind not in KINDS:
            raise FormatError(f"a tileset of {self.kind}, of which cimkit checks nothing")
        root = document["root"]
        if root["refine"] != "REPLACE":
            raise FormatError("refinement by replacement expected")
        if len(finite(root["transform"])) != 16:
            raise FormatError("16 numbers expected as transform of the root")
        self.error = finite([document["geometricError"]])[0]
        self.findings: list[Issue] = []
        self.known = {path.name}
        self.parent: list[int] = []
        self.tiles: list[tuple[float, list[float], str]] = []
        self.is_implicit = "implicitTiling" in root
        if self.is_implicit:
            self._add_implicit(document)
        else:
            self._add_explicit(root)

    def _add_explicit(self, root: Any) -> None:
        """Walk the tiles of the document, and of the documents in their place."""
        queue: list[tuple[Any, int, str]] = [(root, -1, "tileset.json")]
        for tile, parent, document in queue:  # grows while it is walked
            if len(queue) > TILES_MAX:
                raise FormatError(f"more than {TILES_MAX:,} tiles")
            foreign = {"implicitTiling", "contents", "viewerRequestVolume"} & set(tile)
            if foreign or (parent >= 0 and "transform" in tile):
                raise FormatError(f"tile {len(self.tiles)} has keys that cimkit does not write")
            error, box = finite([tile["geometricError"]])[0], _box(tile)
            uri = _uri(tile)
            if uri.endswith(".json"):
                inner = self._external(uri, error, box)
                if inner is not None:
                    queue.append((inner, parent, uri))
                continue
            row = len(self.tiles)
            self.parent.append(parent)
            self.tiles.append((error, box, uri))
            queue += [(child, row, document) for child in tile.get("children", [])]

    def _external(self, uri: str, error: float, box: list[float]) -> Any:
        """The root of an external tileset, or a finding and None."""
        if uri in self.known:
            self._find("TILE_DOCUMENT_REPEATED", uri, "two tiles refer to this document")
            return None
        self.known.add(uri)
        try:
            data = read_bytes(self.folder / uri, "Build the tiles again.")
            _check_name(self.folder / uri, data)
            document = parsed(lambda: read_json(data), self.folder / uri)
            root = parsed(lambda: _external_root(document), self.folder / uri)
        except InputError as fault:
            missing = not isinstance(fault, FormatError)
            code = "TILE_DOCUMENT_MISSING" if missing else "TILE_DOCUMENT_BROKEN"
            self._find(code, uri, str(fault))
            return None
        if root["geometricError"] > error:
            message = f"error {root['geometricError']:g} m in a tile of {error:g} m"
            self._find("TILE_ERROR_NOT_SHRINKING", uri, message)
        if np.abs(np.array(_box(root)) - box).max() > 1e-6:
            self._find("TILE_BOX_OUTSIDE_PARENT", uri, "its box is not that of its tile")
        return root

    def _add_implicit(self, document: Any) -> None:
        """Expand the subtrees."""
        root = document["root"]
        if set(root) & {"children", "contents"}:
            raise FormatError("an implicit root has children of its own")
        plan = Implicit.of(document)
        self.known |= plan.names
        for tile in implicit_tiles(self.folder, plan, self._find, self.known):
            self.parent.append(tile.parent)
            self.tiles.append((tile.error, tile.box, tile.uri))

    def _find(self, code: str, name: str, message: str) -> None:
        self.findings.append(Issue("ERROR", code, "tiles", name, message))

    def contents(self) -> TilesetContents:
        """The table."""
        if not self.tiles:  # what should hold them is broken
            self.parent, self.tiles = [-1], [(0.0, [0.0] * 3 + [1, 0, 0, 0, 1, 0, 0, 0, 1], "")]
        depth = np.zeros(len(self.tiles), dtype=np.int64)
        for row, parent in enumerate(self.parent):
            depth[row] = depth[parent] + 1 if parent >= 0 else 0
        uris = [uri for _, _, uri in self.tiles]
        self.findings += _stray_files(self.folder, self.known | set(uris))
        return TilesetContents(
            self.error,
            np.array(self.parent),
            depth,
            np.array([error for error, _, _ in self.tiles]),
            np.array([box for _, box, _ in self.tiles]),
            np.array(uris, dtype=TEXT),
            functools.partial(read_content, self.folder, kind=self.kind),
            self.version,
            self.is_implicit,
            tuple(self.findings),
            self.kind,
        )


def _external_root(document: Any) -> Any:
    """Root of an external tileset."""
    finite([document["geometricError"]])
    root = document["root"]
    finite([root["geometricError"]])
    if root.get("refine", "REPLACE") != "REPLACE" or "transform" in root:
        raise FormatError("an external tileset with a transform, or another refinement")
    return root


def _box(tile: Any) -> list[float]:
    """Bounding box of a tile."""
    box = finite(tile["boundingVolume"]["box"])
    if len(box) != 12:
        raise FormatError(f"{len(box)} numbers in a box")
    return box


def _uri(tile: Any) -> str:
    """Name of the content, which must lie beside the tileset; "" for none."""
    if "content" not in tile:
        return ""
    uri = tile["content"]["uri"]
    if not (_NAME.fullmatch(uri) and uri.endswith((".glb", ".b3dm", ".json"))):
        raise FormatError(f"content {uri!r}: a file beside the tileset expected")
    return str(uri)


def _stray_files(folder: Path, known: set[str]) -> list[Issue]:
    """Files beside the tileset that no tile names, and twins that differ."""
    issues = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name.split("/")[0] in OTHER_FOLDERS or name in OTHER_FILES:
            continue
        if path.suffix == ".gz":
            issues += _check_twin(path, name)
        elif name not in known and path.suffix in (".glb", ".b3dm", ".json", ".subtree"):
            message = "no tile names this file"
            issues.append(Issue("WARNING", "TILE_FILE_UNUSED", "tiles", name, message))
    return issues


def _check_twin(path: Path, name: str) -> list[Issue]:
    """Hold a compressed file against the one beside it, unpacking no more than that holds."""
    try:
        plain = path.with_suffix("").read_bytes()
        with gzip.open(path) as twin:
            same = twin.read(len(plain) + 1) == plain
    except (OSError, EOFError, zlib.error):
        same = False
    if same:
        return []
    message = "is not what the file beside it holds"
    return [Issue("ERROR", "TILE_GZIP_DIFFERS", "tiles", name, message)]
