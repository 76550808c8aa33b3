"""Roof planes of one building: region growing over local normals, then polishing.

Normals come from each point's nearest neighbours in space (principal components, with the
closed form of a symmetric 3 x 3 matrix). Regions grow from the flattest points and take a
neighbour that lies near the region's own plane and faces the same way; planes are fitted by
least squares of the height, from running sums, so a refit costs the same at any size. Polishing
joins planes that are one, lets points change to the better plane and drops what lies off.

Time O(n k + planes²), memory O(n k). Nothing depends on the order of the points, if they come
sorted, nor on where they lie.

Literature: Rabbani, van den Heuvel & Vosselman 2006 (region growing with a smoothness
constraint, ISPRS Archives 36-5).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.plane_sums import SUMS, add_to_sums, fit_sums, rms_off, sums_of
from cimkit.kernels.planes_afloat import drop_planes_afloat
from cimkit.kernels.point_normals import nearest_points, normals_of

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, WholeArray

THIN = 3.0
"""Points per m² below which neighbours are fewer and tolerances wider."""

WALL_COSINE = 0.30
"""Of the normal's angle to the vertical: steeper than 72.5 degrees is no roof."""

SPENT = 500
"""A region of more points that is no roof plane is not grown again from each of its points: a
steep or narrow one of 50,000 points would take minutes."""

GROWN_MAX = 800
"""Planes that are polished, the largest: time and memory grow with their square."""


class PlaneRules(NamedTuple):
    """Parameters of `find_roof_planes`.

    Attributes
    ----------
    tolerance : float
        Metres off the plane at which a point still belongs to it; doubled in thin clouds.
    cosine : float
        Of the largest angle between the normals of a point and of its plane.
    area : float
        m² of the smallest plane.
    joined : float
        Metres: planes whose points lie so near to their common plane, as a root mean square,
        are one.
    """

    tolerance: float = 0.13
    cosine: float = 0.80
    area: float = 0.7
    joined: float = 0.05


@helper
def grow_planes(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    near: WholeArray,
    normal: FloatArray,
    flatness: FloatArray,
    tolerance: float,
    cosine: float,
    smallest: int,
) -> tuple[WholeArray, FloatArray]:
    """Plane of each point (-1 for none), and the planes a, b, c."""
    n, k = near.shape
    owner = np.full(n, -1, np.int32)
    planes = np.empty((n // smallest + 1, 3))
    n_planes = 0
    queue = np.empty(n, np.int32)
    tried = np.full(n, -1, np.int32)
    spent = np.zeros(n, np.bool_)
    sums = np.zeros(SUMS)
    for seed in np.argsort(flatness, kind="mergesort"):
        if owner[seed] >= 0 or spent[seed] or normal[seed, 2] < WALL_COSINE:
            continue
        nx, ny, nz = normal[seed, 0], normal[seed, 1], normal[seed, 2]
        a, b = -nx / nz, -ny / nz
        c = z[seed] - a * x[seed] - b * y[seed]
        sums[:] = 0.0
        add_to_sums(sums, x[seed], y[seed], z[seed], 1.0)
        queue[0], size, done = seed, 1, 0
        tried[seed] = seed
        refit_at = 6
        while done < size:
            i = queue[done]
            done += 1
            for m in range(1, k):
                j = near[i, m]
                if j < 0 or owner[j] >= 0 or tried[j] == seed:
                    continue
                off = abs(z[j] - a * x[j] - b * y[j] - c) * nz
                facing = nx * normal[j, 0] + ny * normal[j, 1] + nz * normal[j, 2]
                if off > tolerance or facing < cosine:
                    continue
                tried[j] = seed
                queue[size] = j
                size += 1
                add_to_sums(sums, x[j], y[j], z[j], 1.0)
                if size >= refit_at:
                    fa, fb, fc, sure = fit_sums(sums)
                    if sure:
                        a, b, c = fa, fb, fc
                        nz = 1.0 / math.sqrt(1.0 + a * a + b * b)
                        nx, ny = -a * nz, -b * nz
                    refit_at = int(1.5 * size) + 1
        if size < smallest:
            continue
        a, b, c, sure = fit_sums(sums)
        for _ in range(2):
            sums[:] = 0.0
            nz = 1.0 / math.sqrt(1.0 + a * a + b * b)
            for m in range(size):
                i = queue[m]
                if abs(z[i] - a * x[i] - b * y[i] - c) * nz <= tolerance:
                    add_to_sums(sums, x[i], y[i], z[i], 1.0)
            a, b, c, fits = fit_sums(sums)
            sure = sure and fits
        nz = 1.0 / math.sqrt(1.0 + a * a + b * b)
        if not sure or sums[0] < smallest or nz < WALL_COSINE:
            if size > SPENT:
                for m in range(size):
                    spent[queue[m]] = True
            continue
        for m in range(size):
            i = queue[m]
            if abs(z[i] - a * x[i] - b * y[i] - c) * nz <= tolerance:
                owner[i] = n_planes
        planes[n_planes, 0], planes[n_planes, 1], planes[n_planes, 2] = a, b, c
        n_planes += 1
    return owner, planes[:n_planes].copy()


@helper
def join_planes(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    planes: FloatArray,
    joined: float,
) -> FloatArray:
    """Make one of planes that are one, the nearest to it first; returns those left."""
    n_planes = len(planes)
    sums = sums_of(x, y, z, owner, n_planes)
    into = np.arange(n_planes)
    both = np.empty(SUMS)
    off = np.full((n_planes, n_planes), np.inf)
    for i in range(n_planes):
        for j in range(i + 1, n_planes):
            off[i, j] = _off_common(sums, i, j, both)
    while n_planes > 1:
        best, bi, bj = joined, -1, -1
        for i in range(n_planes):
            for j in range(i + 1, n_planes):
                if off[i, j] < best:
                    best, bi, bj = off[i, j], i, j
        if bi < 0:
            break
        sums[bi] += sums[bj]
        sums[bj, 0] = 0.0
        into[bj] = bi
        for i in range(n_planes):
            off[min(i, bj), max(i, bj)] = np.inf
            if i != bi and into[i] == i:
                off[min(i, bi), max(i, bi)] = _off_common(sums, i, bi, both)
    number = np.full(n_planes, -1, np.int32)
    left = np.empty((n_planes, 3))
    count = 0
    for i in range(n_planes):
        if into[i] == i:
            number[i] = count
            a, b, c, sure = fit_sums(sums[i])
            left[count, 0], left[count, 1], left[count, 2] = a, b, c
            if not sure:
                left[count] = planes[i]
            count += 1
    for i in range(n_planes):
        root = i
        while into[root] != root:
            root = into[root]
        number[i] = number[root]
    for p in range(len(owner)):
        if owner[p] >= 0:
            owner[p] = number[owner[p]]
    return left[:count].copy()


@helper
def _off_common(sums: FloatArray, i: int, j: int, both: FloatArray) -> float:
    """The larger of two planes' distances to their common plane; infinite for steep ones."""
    both[:] = sums[i]
    both += sums[j]
    a, b, c, sure = fit_sums(both)
    if not sure or sums[i, 0] <= 0.0 or sums[j, 0] <= 0.0:
        return np.inf
    return max(rms_off(sums[i], a, b, c), rms_off(sums[j], a, b, c))


@helper
def swap_points(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    near: WholeArray,
    owner: WholeArray,
    planes: FloatArray,
    tolerance: float,
) -> None:
    """Give each point the nearest of its own plane and its neighbours', if near enough."""
    n, k = near.shape
    before = owner.copy()
    for i in range(n):
        best, chosen = tolerance, -1
        for m in range(k):
            j = near[i, m]
            if j < 0 or before[j] < 0:
                continue
            p = before[j]
            if p == chosen:
                continue
            a, b, c = planes[p, 0], planes[p, 1], planes[p, 2]
            off = abs(z[i] - a * x[i] - b * y[i] - c) / math.sqrt(1.0 + a * a + b * b)
            if off < best or (off == best and p < chosen):
                best, chosen = off, p
        owner[i] = chosen


@helper
def refit_planes(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    planes: FloatArray,
    smallest: int,
) -> FloatArray:
    """Fit each plane to its points again; planes left with too few of them are dropped."""
    n_planes = len(planes)
    sums = sums_of(x, y, z, owner, n_planes)
    number = np.full(n_planes, -1, np.int32)
    left = np.empty((n_planes, 3))
    count = 0
    for p in range(n_planes):
        if sums[p, 0] < smallest:
            continue
        a, b, c, sure = fit_sums(sums[p])
        left[count] = planes[p]
        if sure and 1.0 / math.sqrt(1.0 + a * a + b * b) >= WALL_COSINE:
            left[count, 0], left[count, 1], left[count, 2] = a, b, c
        number[p] = count
        count += 1
    for i in range(len(owner)):
        if owner[i] >= 0:
            owner[i] = number[owner[i]]
    return left[:count].copy()


@helper
def largest_planes(
    planes: FloatArray, owner: WholeArray, most: int
) -> tuple[FloatArray, WholeArray]:
    """The planes with the most points, in their order; points of the others belong to none."""
    count = np.zeros(len(planes), np.int64)
    for p in owner:
        if p >= 0:
            count[p] += 1
    chosen = np.sort(np.argsort(-count, kind="mergesort")[:most])
    number = np.full(len(planes), -1, np.int32)
    for m in range(len(chosen)):
        number[chosen[m]] = m
    left = np.empty((len(chosen), 3))
    for m in range(len(chosen)):
        left[m] = planes[chosen[m]]
    out = np.full(len(owner), -1, np.int32)
    for i in range(len(owner)):
        if owner[i] >= 0:
            out[i] = number[owner[i]]
    return left, out


@kernel
def find_roof_planes(
    x: FloatArray, y: FloatArray, z: FloatArray, area: float, rules: PlaneRules
) -> tuple[FloatArray, WholeArray]:
    """Find the roof planes of one building.

    Parameters
    ----------
    x, y, z : float64 array, shape (n,)
        Local metres, sorted.
    area : float
        Of the footprint, m².
    rules : PlaneRules

    Returns
    -------
    planes : float64 array, shape (n_planes, 3)
        a, b, c of z = a x + b y + c.
    owner : int32 array, shape (n,)
        Plane of each point, -1 for none.
    """
    n = len(x)
    density = n / max(area, 1e-3)
    thin = density < THIN
    tolerance = rules.tolerance * (2.0 if thin else 1.0)
    smallest = max(4, int(rules.area * density + 0.5))
    if n < smallest:
        return np.empty((0, 3)), np.full(n, -1, np.int32)
    near = nearest_points(x, y, z, density, 8 if thin else 9)
    normal, flatness = normals_of(x, y, z, near)
    owner, planes = grow_planes(
        x, y, z, near, normal, flatness, tolerance, rules.cosine, smallest
    )
    if len(planes) > GROWN_MAX:
        planes, owner = largest_planes(planes, owner, GROWN_MAX)
    joined = rules.joined * (2.0 if thin else 1.0)
    for _ in range(3):
        planes = join_planes(x, y, z, owner, planes, joined)
        swap_points(x, y, z, near, owner, planes, tolerance)
        planes = refit_planes(x, y, z, owner, planes, smallest)
    return drop_planes_afloat(x, y, z, owner, planes, density), owner
