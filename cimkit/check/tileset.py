"""Whether a tileset is whole: tree, boxes, errors, buildings, property tables and solids."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit.errors import FormatError, InputError, UndecodedError
from cimkit.tables import Issue
from cimkit.tables._columns import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cimkit.tables._columns import BoolArray, FloatArray, IntArray
    from cimkit.tables.tilesetcontent import TileContent, TilesetContents

BOX_TOLERANCE_M = 0.01
"""Metres that a vertex may stand out of the box of its tile, besides one step of rounding."""

NESTING_TOLERANCE_M = 1e-6
"""Metres that a box may stand out of its parent's: the noise of sums of doubles."""

FEATURE_ID = "storey_id"
"""Column of what is shown once where features are parts of buildings; else ``building_id``."""

UNIT_TOLERANCE = 0.01
"""Deviation from length 1 of a normal; three components rounded to 1/127 give up to 0.0068."""


def tileset_report(contents: TilesetContents, issues: Sequence[Issue]) -> dict[str, Any]:
    """What a tileset is made of, and what was found in it, as JSON has it.

    Parameters
    ----------
    contents : TilesetContents
    issues : sequence of Issue
        Of `check_tileset`.

    Returns
    -------
    dict
        ``valid`` (no ERROR), ``version``, ``implicit``, ``geometric_error`` (metres),
        ``tiles``, ``levels``, ``leaves``, ``contents`` (tiles that have one), ``findings`` (how
        many of each code), ``issues`` (rows).
    """
    codes = Counter(issue.code for issue in issues)
    return {
        "valid": not any(issue.severity == "ERROR" for issue in issues),
        "version": contents.version,
        "implicit": contents.implicit,
        "geometric_error": contents.tileset_error,
        "tiles": len(contents),
        "levels": int(contents.depth.max()) + 1,
        "leaves": int(contents.leaf.sum()),
        "contents": int((contents.uri != "").sum()),
        "findings": dict(sorted(codes.items())),
        "issues": [issue._asdict() for issue in issues],
    }


def check_tileset(contents: TilesetContents) -> list[Issue]:
    """Check a tileset for what clients rely on and other validators do not look at.

    Parameters
    ----------
    contents : TilesetContents
        As `cimkit.read.tileset.read_tileset` gives it. Each content is loaded once and dropped.

    Returns
    -------
    list of Issue
        ERROR rows of table ``tiles``, of these codes:

        - ``TILE_ERROR_NOT_SHRINKING``: geometric error above the tileset's (root), or not below
          the parent's; ``TILE_LEAF_ERROR``: a leaf with an error other than 0.
        - ``TILE_BOX_OUTSIDE_PARENT``: the box leaves that of the parent.
        - ``TILE_CONTENT_MISSING``, ``TILE_CONTENT_BROKEN``: no such file; damaged.
        - ``TILE_CONTENT_OUTSIDE_BOX``: a vertex more than `BOX_TOLERANCE_M` and one step of
          rounding outside the box.
        - ``TILE_FEATURE_COUNT``: feature ids that are not 0 ... count - 1, each in use.
        - ``TILE_ROW_COUNT``: the property table has another number of rows.
        - ``TILE_ID_COLUMN``: no text column ``building_id``.
        - ``TILE_ENUM_UNKNOWN``: a number without a name.
        - ``TILE_NORMAL_NOT_UNIT``: a normal that has not length 1.
        - ``TILE_SOLID_OPEN``, ``TILE_SOLID_INVERTED``: a building that is not closed, or whose
          faces look inward, as rounded in the tile.
        - ``TILE_BUILDING_REPEATED``: a building twice in one tile, or in two leaves.
        - ``TILE_BUILDING_LOST``: a building that none of the children of its tile shows.
        - ``TILE_PROPERTY_DIFFERS``: a building of which two tiles say different things.
        Of ground only tree, boxes, contents and normals are looked at.

        - What `read_tileset` found of documents, subtrees and files (`contents.findings`).

        ``TILE_NOT_DECODED`` (WARNING) where compressed contents cannot be looked into.
    """
    issues = [*contents.findings, *_check_tree(contents)]
    said: dict[str, tuple[int, str]] = {}
    shown: list[frozenset[str] | None] = []
    home: dict[str, str] = {}
    for row, leaf in enumerate(contents.leaf.tolist()):
        name = _name(contents, row)
        content = _load(contents, row, name, issues)
        shown.append(None)
        if content is None:
            continue
        issues += _check_box(content, contents.box[row], name)
        if contents.kind == "ground":
            issues += _check_normals(content, name)
            continue
        issues += _check_content(content, name)
        if "building_id" not in content.properties:
            issues.append(_error("TILE_ID_COLUMN", name, "has no column building_id"))
            continue
        key = FEATURE_ID if FEATURE_ID in content.properties else "building_id"
        ids = np.asarray(content.properties[key], dtype=TEXT).tolist()
        shown[row] = frozenset(ids)
        issues += _check_properties(content, ids, name, said)
        seen: dict[str, str] = home if leaf else {}
        for building in ids:
            if building in seen:
                where = f"building {building} stands in {seen[building]} too"
                issues.append(_error("TILE_BUILDING_REPEATED", name, where))
            seen[building] = name
    return [*issues, *_check_refinement(contents, shown)]


def _error(code: str, name: str, message: str) -> Issue:
    return Issue("ERROR", code, "tiles", name, message)


def _name(contents: TilesetContents, row: int) -> str:
    """Call a tile by its content, else by its number."""
    return str(contents.uri[row]) or f"tile {row}"


def _check_tree(contents: TilesetContents) -> Iterator[Issue]:
    """Geometric errors and boxes of the tree."""
    above = np.where(
        contents.parent < 0, contents.tileset_error, contents.error[contents.parent]
    )
    rises = np.where(contents.parent < 0, contents.error > above, contents.error >= above)
    outside = [
        row > 0
        and _outside(_corners(contents.box[row]), contents.box[contents.parent[row]])
        > NESTING_TOLERANCE_M
        for row in range(len(contents))
    ]
    for row, leaf in enumerate(contents.leaf.tolist()):
        name, error = _name(contents, row), contents.error[row]
        if rises[row] or error < 0:
            message = f"geometric error {error:g} m below a tile of {above[row]:g} m"
            yield _error("TILE_ERROR_NOT_SHRINKING", name, message)
        if leaf and error != 0:
            message = f"geometric error {error:g} m in a tile without children"
            yield _error("TILE_LEAF_ERROR", name, message)
        if outside[row]:
            yield _error("TILE_BOX_OUTSIDE_PARENT", name, "the box leaves that of the parent")


def _corners(box: FloatArray) -> FloatArray:
    """Corners of a box, shape (8, 3)."""
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
    return np.asarray(box[:3] + signs @ box[3:].reshape(3, 3))


def _outside(xyz: FloatArray, box: FloatArray) -> float:
    """How far the farthest of some points stands out of a box, metres; below 0 if none does."""
    axes = box[3:].reshape(3, 3)
    half = np.linalg.norm(axes, axis=1)
    if not half.all():
        return float("inf")
    reach = np.abs((xyz - box[:3]) @ (axes / half[:, None]).T) - half
    return float(reach.max(initial=-np.inf))


def _load(
    contents: TilesetContents, row: int, name: str, issues: list[Issue]
) -> TileContent | None:
    """Load the content of a tile, or note an issue and give None."""
    uri = str(contents.uri[row])
    if not uri:
        # A city without buildings is one tile without content.
        if len(contents) > 1 and not contents.implicit:
            issues.append(_error("TILE_CONTENT_MISSING", name, "has no content"))
        return None
    try:
        return contents.load(uri)
    except UndecodedError as error:
        if not any(issue.code == "TILE_NOT_DECODED" for issue in issues):
            issues.append(Issue("WARNING", "TILE_NOT_DECODED", "tiles", name, str(error)))
    except FormatError as error:
        issues.append(_error("TILE_CONTENT_BROKEN", name, str(error)))
    except InputError as error:
        issues.append(_error("TILE_CONTENT_MISSING", name, str(error)))
    return None


def _check_box(content: TileContent, box: FloatArray, name: str) -> Iterator[Issue]:
    """Vertices against the box of the tile."""
    out = _outside(content.positions, box)
    if out > BOX_TOLERANCE_M + content.step:
        yield _error("TILE_CONTENT_OUTSIDE_BOX", name, f"a vertex lies {out:.3f} m outside")


def _check_content(content: TileContent, name: str) -> Iterator[Issue]:
    """Hold a content against what it says of itself."""
    n = content.feature_count
    used = np.unique(content.feature[content.triangles])
    if not np.array_equal(used, np.arange(n)):
        yield _error(
            "TILE_FEATURE_COUNT",
            name,
            f"{n} features announced, {len(used)} distinct ids in use",
        )
    if content.row_count != n:
        message = f"{content.row_count} rows for {n} features"
        yield _error("TILE_ROW_COUNT", name, message)
    for column, names in content.enums.items():
        unknown = set(content.properties[column].tolist()) - set(names)
        if unknown:
            message = f"{column}: {min(unknown)} has no name"
            yield _error("TILE_ENUM_UNKNOWN", name, message)
    yield from _check_normals(content, name)
    yield from _check_solids(content, used, name)


def _check_normals(content: TileContent, name: str) -> Iterator[Issue]:
    length = np.linalg.norm(content.normals, axis=1)
    if (np.abs(length - 1) > UNIT_TOLERANCE).any():
        yield _error("TILE_NORMAL_NOT_UNIT", name, "a normal has not length 1")


def _check_solids(content: TileContent, used: IntArray, name: str) -> Iterator[Issue]:
    """Test each feature for being closed and outward."""
    n = len(used)
    feature = np.searchsorted(used, content.feature[content.triangles[:, 0]])
    open_, volume = _open_features(content, feature, n), _volumes(content, feature, n)
    ids = content.properties.get("building_id", used.astype(str))
    for row in np.flatnonzero(open_ | ~(volume > 0)).tolist():
        building = ids[used[row]] if 0 <= used[row] < len(ids) else f"of feature {used[row]}"
        if open_[row]:
            yield _error("TILE_SOLID_OPEN", name, f"building {building} has an open edge")
        else:
            yield _error("TILE_SOLID_INVERTED", name, f"building {building} looks inward")


def _open_features(content: TileContent, feature: IntArray, n: int) -> BoolArray:
    """Features of which an edge is not used as often in one direction as in the other.

    Rounding may join two walls that stand nearer than a step, so an edge may have four faces.
    """
    xyz, owner = content.positions, content.feature
    order = np.lexsort([xyz[:, 0], xyz[:, 1], xyz[:, 2], owner])
    apart = (np.diff(xyz[order], axis=0) != 0).any(axis=1) | (np.diff(owner[order]) != 0)
    point = np.empty(len(order), dtype=np.int64)
    point[order] = np.concatenate([[0], np.cumsum(apart)])
    start = point[content.triangles].ravel()
    end = point[np.roll(content.triangles, -1, axis=1)].ravel()
    edges, first, number = np.unique(
        np.minimum(start, end) * len(order) + np.maximum(start, end),
        return_index=True,
        return_inverse=True,
    )
    balance = np.bincount(number, np.sign(end - start), len(edges))
    return np.bincount(feature[first[balance != 0] // 3], minlength=n) > 0


def _volumes(content: TileContent, feature: IntArray, n: int) -> FloatArray:
    """Volume of each feature, by the divergence theorem."""
    first = np.full(n, -1, dtype=np.int64)
    first[feature[::-1]] = content.triangles[::-1, 0]
    base = content.positions[first[feature]]
    a, b, c = (content.positions[content.triangles[:, k]] - base for k in range(3))
    return np.asarray(np.bincount(feature, (np.cross(a, b) * c).sum(axis=1) / 6, n))


def _check_properties(
    content: TileContent, ids: list[str], name: str, said: dict[str, tuple[int, str]]
) -> Iterator[Issue]:
    """Find buildings of which another tile says something else."""
    columns = [
        np.asarray(content.properties.get(key, np.empty(0))).tolist()
        for key in sorted(content.properties)
    ]
    keys = sorted(content.properties)
    for row, building in enumerate(ids):
        # A column of empty texts alone is left out of a tile.
        values = ((k, c[row]) for k, c in zip(keys, columns, strict=True) if row < len(c))
        known = hash(tuple(pair for pair in values if pair[1] != ""))
        before, where = said.setdefault(building, (known, name))
        if before != known:
            message = f"building {building}: {where} says something else of it"
            yield Issue("ERROR", "TILE_PROPERTY_DIFFERS", "tiles", name, message)


def _check_refinement(
    contents: TilesetContents, shown: list[frozenset[str] | None]
) -> Iterator[Issue]:
    """Find buildings that vanish where a client refines a tile."""
    below: list[set[str]] = [set() for _ in shown]
    whole = [True] * len(shown)
    empty = [not uri for uri in contents.uri.tolist()]
    parents = contents.parent.tolist()
    for row in range(len(shown) - 1, 0, -1):  # children before their parents
        parent, ids = parents[row], shown[row]
        if ids is not None:
            below[parent] |= ids
        elif (
            empty[row] and contents.implicit
        ):  # a cell without content stands for what lies below it
            below[parent] |= below[row]
            whole[parent] &= whole[row]
        else:
            whole[parent] = False  # a content that cannot be read has its own issue
    for row, leaf in enumerate(contents.leaf.tolist()):
        ids = shown[row]
        if leaf or ids is None or not whole[row]:
            continue
        for building in sorted(ids - below[row]):
            message = f"building {building} is shown, but by none of the children"
            yield _error("TILE_BUILDING_LOST", _name(contents, row), message)
