"""How two solids, or two shells, lie to each other: apart, touching, overlapping, equal.

Each triangle of one is cut along the lines where the other meets its plane. A point of each
piece, moved by `STEP_M` to either side, lies in the other or not. These answers say all: the
boundary of what two solids share is made of such pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.errors import LimitError
from cimkit.kernels.near_points import merge_near_points
from cimkit.kernels.solid_angles import winding_numbers
from cimkit.limits import RELATED_TRIANGLES_MAX
from cimkit.tables._columns import BoolArray, FloatArray, IntArray

STEP_M = 1e-6
"""Metres. What overlaps by less does not count: above all rounding, below all intent."""

ON_M = 1e-8
"""Metres within which a point lies on a plane."""

AREA_M2 = 1e-9
"""Triangles below this have no plane that means anything."""


class Relation(NamedTuple):
    """What two closed surfaces have to do with each other.

    Attributes
    ----------
    overlap : bool
        They share a volume.
    equal : bool
        They enclose the same.
    share_face : bool
        They lie on two sides of a piece of surface.
    second_inside : bool
        The second lies wholly in the first.
    second_on_face : bool
        The second lies in the first and shares a piece of its surface.
    touch : bool
        They meet at all.
    """

    overlap: bool
    equal: bool
    share_face: bool
    second_inside: bool
    second_on_face: bool
    touch: bool


APART = Relation(False, False, False, False, False, False)


def relate(first: FloatArray, second: FloatArray) -> Relation:
    """Compare two closed surfaces that look outward, and enclose something.

    Parameters
    ----------
    first, second : float64 arrays, shape (n, 3, 3)
        Triangles; metres, near the origin.

    Returns
    -------
    Relation

    Raises
    ------
    LimitError
        If their triangles are more than `RELATED_TRIANGLES_MAX`.

    Notes
    -----
    O(pieces x triangles). Triangles of no area are left out; their neighbours cover the place.

    Examples
    --------
    >>> corner = np.vstack([np.zeros(3), np.eye(3)])
    >>> sides = corner[np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])]
    >>> relate(sides, sides + [0.1, 0.1, 0.1]).overlap, relate(sides, sides + 2).touch
    (True, False)
    """
    first, second = _with_area(first), _with_area(second)
    if _boxes_apart(first, second):
        return APART
    if len(first) * len(second) > RELATED_TRIANGLES_MAX**2:
        raise LimitError(f"{len(first):,} and {len(second):,} triangles; cut the solids")
    a_in, a_out = _sides(first, second)
    b_in, b_out = _sides(second, first)
    return Relation(
        overlap=bool(a_in.any() or b_in.any()),
        equal=bool((a_in & ~a_out).all() and (b_in & ~b_out).all()),
        share_face=bool((~a_in & a_out).any()),
        second_inside=bool(b_in.all()),
        second_on_face=bool(b_in.all() and not b_out.all()),
        touch=any(True for _ in contacts(first, second)),
    )


def may_overlap(first: FloatArray, second: FloatArray) -> bool:
    """Whether the boxes of two surfaces share more than `STEP_M` in each direction.

    Storeys of a building touch all over and share nothing; `relate` takes 5 ms to say so.
    """
    low = np.maximum(first.min(axis=(0, 1)), second.min(axis=(0, 1)))
    high = np.minimum(first.max(axis=(0, 1)), second.max(axis=(0, 1)))
    return bool((high - low > STEP_M).all())


def _with_area(triangles: FloatArray) -> FloatArray:
    """Triangles that have a plane."""
    sides = triangles[:, 1:] - triangles[:, :1]
    area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    return np.asarray(triangles[area >= 2 * AREA_M2])


def _boxes_apart(first: FloatArray, second: FloatArray) -> bool:
    low, high = first.min(axis=(0, 1)), first.max(axis=(0, 1))
    other_low, other_high = second.min(axis=(0, 1)), second.max(axis=(0, 1))
    return bool((low > other_high + ON_M).any() or (other_low > high + ON_M).any())


def _sides(cut: FloatArray, other: FloatArray) -> tuple[BoolArray, BoolArray]:
    """For each piece of a surface, whether its inner and its outer side lie in the other."""
    points, normals = [], []
    near = _near(cut, other)
    for row, triangle in enumerate(cut):
        normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
        length = np.linalg.norm(normal)
        found = _pieces(triangle, normal / length, other[near[row]])
        points.append(found)
        normals.append(np.broadcast_to(normal / length, found.shape))
    at, step = np.concatenate(points), STEP_M * np.concatenate(normals)
    inner, outer = winding_numbers(at - step, other), winding_numbers(at + step, other)
    return inner > 0.5, outer > 0.5


def _near(cut: FloatArray, other: FloatArray) -> list[IntArray]:
    """Triangles of the other surface whose boxes meet that of each triangle."""
    low, high = other.min(axis=1) - ON_M, other.max(axis=1) + ON_M
    return [
        np.flatnonzero(((low <= t.max(axis=0)) & (high >= t.min(axis=0))).all(axis=1))
        for t in cut
    ]


def _axes(normal: FloatArray) -> FloatArray:
    """Two unit vectors that span a plane, shape (2, 3)."""
    u = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    u /= np.linalg.norm(u)
    return np.stack([u, np.cross(normal, u)])


def _pieces(triangle: FloatArray, normal: FloatArray, other: FloatArray) -> FloatArray:
    """Points within the pieces into which a surface cuts a triangle, shape (k, 3)."""
    lines = [line for t in other for line in _trace(t, triangle[0], normal)]
    if not lines:
        return np.asarray(triangle.mean(axis=0)[None])
    axes = _axes(normal)
    flat = shapely.Polygon((triangle - triangle[0]) @ axes.T)
    cuts = [shapely.LineString((line - triangle[0]) @ axes.T) for line in lines]
    # A grid of a hundredth of the step joins ends that rounding has parted.
    net = shapely.unary_union([flat.exterior, *cuts], grid_size=STEP_M / 100)
    parts = shapely.get_parts(shapely.polygonize(shapely.get_parts(net)))
    # Pieces narrower than two steps lie between surfaces that count as one.
    inner = shapely.buffer(parts, -STEP_M, join_style="mitre")
    middle = shapely.point_on_surface(inner[~shapely.is_empty(inner)])
    kept = middle[shapely.within(middle, flat)]
    return np.asarray(triangle[0] + shapely.get_coordinates(kept) @ axes)


def _trace(triangle: FloatArray, base: FloatArray, normal: FloatArray) -> Iterator[FloatArray]:
    """Lines that a triangle draws on a plane, each of shape (2, 3)."""
    off = (triangle - base) @ normal
    off[np.abs(off) <= ON_M] = 0.0
    if (off == 0).all():
        for k in range(3):
            yield triangle[[k, (k + 1) % 3]]
        return
    ends = [triangle[k] for k in np.flatnonzero(off == 0)]
    for k in range(3):
        a, b = off[k], off[(k + 1) % 3]
        if a * b < 0:
            ends.append(triangle[k] + (triangle[(k + 1) % 3] - triangle[k]) * (a / (a - b)))
    if len(ends) == 2 and np.linalg.norm(ends[1] - ends[0]) > ON_M:
        yield np.stack(ends)


def contacts(first: FloatArray, second: FloatArray) -> Iterator[FloatArray]:
    """Where triangles of two surfaces meet, each in the plane of one of the first.

    Yields
    ------
    float64 array, shape (1 or 2, 3)
        A point, or a line; for two triangles in one plane the ends of what they share.
    """
    for triangle, near in zip(first, _near(first, second), strict=True):
        normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
        normal /= np.linalg.norm(normal)
        axes = _axes(normal)
        flat = shapely.buffer(shapely.Polygon((triangle - triangle[0]) @ axes.T), ON_M)
        for other in second[near]:
            for shape in _drawn(other, triangle[0], normal):
                common = flat & _shape((shape - triangle[0]) @ axes.T)
                if not common.is_empty:
                    yield triangle[0] + shapely.get_coordinates(common) @ axes


def _drawn(triangle: FloatArray, base: FloatArray, normal: FloatArray) -> Iterator[FloatArray]:
    """Lines that a triangle draws on a plane, or the point where a corner touches it."""
    lines = list(_trace(triangle, base, normal))
    on = triangle[np.abs((triangle - base) @ normal) <= ON_M]
    yield from lines
    if not lines:
        yield from on[:, None]


def _shape(flat: FloatArray) -> shapely.Geometry:
    return shapely.Point(flat[0]) if len(flat) == 1 else shapely.LineString(flat)


def has_ring_of_contact(first: FloatArray, second: FloatArray) -> bool:
    """Whether the lines along which two surfaces touch close to a ring.

    Such a ring parts the space between the surfaces (Alexander duality), where both are
    without handles.
    """
    found = [line for line in contacts(_with_area(first), _with_area(second)) if len(line) > 1]
    if not found:
        return False
    ends = np.concatenate([line[[0, -1]] for line in found])
    number = _numbers(ends).reshape(-1, 2)
    pairs = np.unique(np.sort(number[number[:, 0] != number[:, 1]], axis=1), axis=0)
    parent = np.arange(number.max() + 1)
    for a, b in pairs.tolist():
        while parent[a] != a:
            a = parent[a]
        while parent[b] != b:
            b = parent[b]
        if a == b:
            return True
        parent[a] = b
    return False


def _numbers(points: FloatArray) -> IntArray:
    """Number of each point, alike for points within `STEP_M`."""
    kept = merge_near_points(points, np.array([0, len(points)]), STEP_M)
    return np.asarray(np.unique(kept, return_inverse=True)[1])
