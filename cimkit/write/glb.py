"""One tile of buildings as binary glTF: quantized, flat-shaded, with its property table."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cimkit.errors import ParameterError, TableError
from cimkit.kernels.face_triangles import solid_triangles
from cimkit.write.gltf import Gltf, column_range
from cimkit.write.property_table import batch_table, put_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cimkit.tables import Models
    from cimkit.tables._columns import FloatArray, IntArray
    from cimkit.write.placement import Placement
    from cimkit.write.property_table import PropertyTable

STEP_MAX = 0.01
"""Metres. A tile wider than 65,535 such steps (655 m) gets float positions: a leaf in open
country would otherwise move its walls by as much as they are thick."""

STEP_OF_ERROR = 0.01
"""Part of its geometric error that a step of an inner tile may be: a far view forgives more."""

CORNER_M = 1 / 64
"""Metres. Corners of tiles are multiples: short numbers, which the last bits of a projection do
not change."""

OUTLINE = "CESIUM_primitive_outline"

MATERIAL = {"pbrMetallicRoughness": {"metallicFactor": 0}}
"""White, and not metal."""


class Encoding(NamedTuple):
    """How the contents of a tileset are written.

    Attributes
    ----------
    version : {"1.1", "1.0"}
        Of 3D Tiles: glb with metadata, or b3dm with a batch table.
    meshopt : bool
        Compress by EXT_meshopt_compression.
    outline : bool
        Add the edges of faces, by CESIUM_primitive_outline.
    """

    version: str = "1.1"
    meshopt: bool = False
    outline: bool = False

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        ParameterError
        """
        if self.version not in ("1.0", "1.1"):
            raise ParameterError(f"tiles_version: 1.0 or 1.1, not {self.version}")
        if self.version == "1.0" and self.meshopt:
            raise ParameterError(
                "meshopt: not in 3D Tiles 1.0, whose clients are older than it. Leave one out."
            )


@dataclass(frozen=True, slots=True)
class EncodedTile:
    """Content of one tile.

    Parameters
    ----------
    data : bytes
        Binary glTF, or Batched 3D Model.
    box : tuple of 12 float
        Bounding box of the vertices as they will be read: centre and three half axes, in the
        root frame.
    """

    data: bytes
    box: tuple[float, ...]

    @property
    def uri(self) -> str:
        """File name, made from the content: no reader ever meets other bytes under it."""
        suffix = "b3dm" if self.data.startswith(b"b3dm") else "glb"
        return f"{hashlib.sha256(self.data).hexdigest()[:16]}.{suffix}"


def encode_glb(
    models: Models,
    table: PropertyTable,
    placement: Placement,
    encoding: Encoding | None = None,
    *,
    error: float = 0.0,
    color: NDArray[np.uint8] | None = None,
) -> EncodedTile:
    """Encode solids as the features of one tile.

    Parameters
    ----------
    models : Models, n >= 1 rows
    table : PropertyTable, n rows
        In the order of the models.
    placement : Placement
        Root frame of the tileset.
    encoding : Encoding, optional
    error : float
        Geometric error of the tile, metres.
    color : uint8 array, shape (n, 4), optional
        Red, green, blue and alpha of each feature; white without.

    Returns
    -------
    EncodedTile

    Raises
    ------
    TableError
        If models and table differ in length, or are empty.

    Notes
    -----
    Vertices are rounded once for each solid, before its faces are taken apart, so faces that
    share a vertex still share it and a closed solid stays closed. A triangle of which two
    corners fall together is left out: its neighbours then join. Positions are 16-bit steps
    (KHR_mesh_quantization) of at most `STEP_MAX`, or `STEP_OF_ERROR` of the error; in wider
    tiles float32 from the tile's corner. A vertex takes 16 bytes then, 20 with a colour.

    3D Tiles 1.0 knows no quantization: positions and normals are float32, features `_BATCHID`.

    The same input gives the same bytes. Specifications: glTF 2.0, EXT_mesh_features and
    EXT_structural_metadata of 3D Tiles 1.1 (OGC 22-025r4); Batched 3D Model of 1.0 (18-053r2).
    """
    n, encoding = len(models), encoding or Encoding()
    if not n or len(table) != n:
        raise TableError(f"encode_glb: {n} models, {len(table)} rows of properties")
    local = placement.to_root_fast(models.vertices)
    local = np.column_stack([local[:, 0], local[:, 2], -local[:, 1]])  # glTF: y is up
    low, high = column_range(local)
    low = np.floor(low / CORNER_M) * CORNER_M
    extent = float(max((high - low).max(), 1.0))
    plain = encoding.version == "1.0"
    step = max(extent / 65_535, STEP_MAX)
    quantized = not plain and step <= max(STEP_MAX, STEP_OF_ERROR * error)
    grid = np.rint((local - low) / step).astype("<u2") if quantized else None
    if grid is not None and _loses_a_solid(models, grid):
        grid = None
    if grid is None:
        step, grid = 1.0, (local - low).astype("<f4")

    corner, triangles, face, normals = _corners(models, grid)
    vertex = models.ring_vertex[corner]
    vertices = _vertices(
        *(grid.take(vertex, axis=0), normals, face, models.solid_of_face[face]),
        n=n,
        plain=plain,
        color=color,
    )
    first, last = column_range(vertices["POSITION"])
    box = _box(first * step + low, last * step + low)

    gltf = Gltf(meshopt=encoding.meshopt)
    if encoding.meshopt:
        triangles, vertices = _reorder(triangles, vertices)
    attributes = gltf.vertices(vertices, NORMAL=not plain, COLOR_0=True)
    primitive: dict[str, Any] = {
        "attributes": attributes,
        "indices": gltf.indices(triangles, len(vertices)),
        "material": 0,
    }
    document = _document(primitive, low, step if step != 1.0 else None)
    extensions: dict[str, Any] = {}
    if encoding.outline:
        edges = _outline_edges(triangles, vertices)
        extensions[OUTLINE] = {"indices": gltf.indices(edges, len(vertices), triangles=False)}
    if plain:
        if extensions:
            primitive["extensions"] = extensions
        return EncodedTile(_b3dm(gltf.pack(document, [], sorted(extensions)), table), box)
    feature_ids = [{"featureCount": n, "attribute": 0, "propertyTable": 0}]
    primitive["extensions"] = extensions | {"EXT_mesh_features": {"featureIds": feature_ids}}
    document["extensions"] = {"EXT_structural_metadata": put_table(gltf, table)}
    used_ones = [*primitive["extensions"], "EXT_structural_metadata"]
    return EncodedTile(gltf.pack(document, ["KHR_mesh_quantization"], used_ones), box)


def _document(primitive: dict[str, Any], low: FloatArray, step: float | None) -> dict[str, Any]:
    """One node with one mesh of one primitive."""
    node: dict[str, Any] = {"mesh": 0, "translation": low.tolist()}
    if step is not None:
        node["scale"] = [step] * 3
    return {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"primitives": [primitive]}],
        "materials": [MATERIAL],
    }


def _loses_a_solid(models: Models, grid: Any) -> bool:
    """Whether rounding lays a whole solid flat."""
    starts = models.vertex_offsets[:-1]
    low = np.minimum.reduceat(grid, starts, axis=0)
    high = np.maximum.reduceat(grid, starts, axis=0)
    return bool((low == high).any())


def _same_places(grid: Any) -> IntArray:
    """Numbers of the vertices; those of the same rounded place have the same."""
    if grid.dtype.kind == "f":
        return np.unique(grid, axis=0, return_inverse=True)[1].ravel()
    wide = grid.astype(np.int64)
    return np.asarray((wide[:, 0] << 32) | (wide[:, 1] << 16) | wide[:, 2])


def _corners(models: Models, grid: Any) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Corners of faces that are used (rows of `ring_vertex`), triangles over them, their faces.

    And the normals of all faces, along the axes of glTF.
    """
    rows, _, normals = solid_triangles(models)
    number = _same_places(grid)
    a, b, c = (number[models.ring_vertex[rows[:, k]]] for k in range(3))
    flat = (a == b) | (b == c) | (c == a)
    if flat.any():
        rows = rows[~flat]
    used = np.zeros(len(models.ring_vertex), dtype=np.bool_)
    used[rows] = True
    corner = np.flatnonzero(used)
    place = np.cumsum(used) - 1
    face_of_corner = np.repeat(
        np.arange(len(normals)), np.diff(models.ring_offsets[models.face_offsets])
    )
    x, y, z = normals.T
    length = np.sqrt(x * x + y * y + z * z)
    bare = length == 0  # a face without area: up
    length[bare] = 1.0
    unit = np.column_stack([x / length, np.where(bare, 1.0, z / length), -y / length])
    return corner, place[rows], face_of_corner[corner], unit


def _vertices(
    position: Any,
    normals: FloatArray,
    face: IntArray,
    feature: IntArray,
    *,
    n: int,
    plain: bool,
    color: NDArray[np.uint8] | None,
) -> Any:
    """Interleaved vertices, each attribute on a multiple of 4 bytes."""
    # Feature ids above 65,535 (many towers at one spot) are floats: glTF allows no 32-bit ones.
    ids = "<u2" if n <= 65_536 else "<f4"
    name = "_BATCHID" if plain else "_FEATURE_ID_0"
    normal = normals if plain else np.rint(normals * 127).astype("i1")
    fields: list[tuple[str, Any, Any]] = [
        ("POSITION", (position.dtype, 3), position),
        (name, ids, feature),
        ("NORMAL", ("<f4" if plain else "i1", 3), normal.take(face, axis=0)),
    ]
    if color is not None:
        fields.append(("COLOR_0", ("u1", 4), color[feature]))
    sizes = [(np.dtype(kind).itemsize + 3) // 4 * 4 for _, kind, _ in fields]
    layout = {
        "names": [name for name, _, _ in fields],
        "formats": [kind for _, kind, _ in fields],
        "offsets": np.cumsum([0, *sizes[:-1]]).tolist(),
        "itemsize": sum(sizes),
    }
    vertices: Any = np.zeros(len(position), dtype=np.dtype(layout))  # type: ignore[call-overload]
    for name, _, values in fields:
        vertices[name] = values
    return vertices


def _reorder(triangles: IntArray, vertices: Any) -> tuple[IntArray, Any]:
    """Bring vertices into the order in which triangles use them: a quarter fewer bytes.

    The triangles keep theirs, face by face. In the order of strips, as meshopt would have
    them, tiles are 1 % smaller, but take a tenth more time.
    """
    import meshopt

    rows, place, _ = meshopt.reorder_mesh(triangles.astype(np.uint32).ravel(), False, False)
    # The gaps between fields are bytes of the file too; zeros_like leaves them as they were.
    moved = np.zeros(len(vertices), dtype=vertices.dtype)
    moved[place] = vertices
    return rows.astype(np.int64).reshape(-1, 3), moved


def _outline_edges(triangles: IntArray, vertices: Any) -> IntArray:
    """Edges of faces, as pairs of vertices: those that one triangle alone has."""
    edges = np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    low, high = edges.min(axis=1), edges.max(axis=1)
    _, first, count = np.unique(
        low * len(vertices) + high, return_index=True, return_counts=True
    )
    return np.asarray(edges[np.sort(first[count == 1])]).ravel()


def _box(low: FloatArray, high: FloatArray) -> tuple[float, ...]:
    """Bounding box in the z-up root frame from bounds in the y-up frame of glTF."""
    low, high = np.array([low[0], -high[2], low[1]]), np.array([high[0], -low[2], high[1]])
    return tuple(np.concatenate([(low + high) / 2, np.diag((high - low) / 2).ravel()]).tolist())


def _b3dm(glb: bytes, table: PropertyTable) -> bytes:
    """Batched 3D Model: a header of 28 bytes, two tables, a glb; each a multiple of 8 bytes."""
    features = b'{"BATCH_LENGTH":%d}' % len(table)
    features += b" " * (-(28 + len(features)) % 8)
    names, numbers = batch_table(table)
    names += b" " * (-len(names) % 8)
    numbers += bytes(-len(numbers) % 8)
    glb_size = len(glb) + -len(glb) % 8
    sizes = (len(features), 0, len(names), len(numbers))
    total = 28 + sum(sizes) + glb_size
    head = struct.pack("<4s6I", b"b3dm", 1, total, *sizes)
    return b"".join([head, features, names, numbers, glb, bytes(glb_size - len(glb))])
