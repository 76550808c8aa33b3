"""Roof planes of one building: region growing over local normals, then polishing.

Normals come from each point's nearest neighbours in space (principal components, with the
closed form of a symmetric 3 x 3 matrix). Regions grow from the flattest points and take a
neighbour that lies near the region's own plane and faces the same way; planes are fitted by
least squares of the height, from running sums, so a refit costs the same at any size. Polishing
joins planes that are one, lets points change to the better plane and drops what lies off.

Time O(n k + planes²), memory O(n k). Nothing depends on the order of the points, if they come
sorted, nor on where they lie.

Literature: Rabbani, van den Heuvel & Vosselman 2006 (region growing with a smoothness
constraint, ISPRS Archives 36-5); Smith 1961 (eigenvalues of a symmetric 3 x 3 matrix).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cimkit.kernels._jit import helper, kernel

if TYPE_CHECKING:
    from cimkit.tables._columns import FloatArray, WholeArray

THIN = 3.0
"""Points per m² below which neighbours are fewer and tolerances wider."""

WALL_COSINE = 0.30
"""Of the normal's angle to the vertical: steeper than 72.5 degrees is no roof."""

NARROW = 1.0
"""Metres: points in a strip of this width span a plane however long it is; in a narrower one
if it is wider than 3 % of its length."""

SPENT = 500
"""A region of more points that is no roof plane is not grown again from each of its points: a
steep or narrow one of 50,000 points would take minutes."""

GROWN_MAX = 800
"""Planes that are polished, the largest: time and memory grow with their square."""

AFLOAT_HEIGHT, AFLOAT_AREA = 6.0, 40.0
"""Metres above other planes and largest area (m²) of a plane that may be a crane's jib."""

AFLOAT_SLIM, AFLOAT_SEEN = 3.0, 0.8
"""Least ratio of its length to its width, and of the points below it to its own. On 3,313 real
roofs 77 of 18,600 planes are so; without the first 193, mostly of glass."""

AFLOAT_CELL = 0.7
"""Metres of the cells in which points below a plane are looked for, at the least."""

SUMS = 10
"""Running sums of a plane: n, x, y, z, xx, xy, yy, xz, yz, zz."""


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
    joined: float = 0.06


@helper
def nearest_points(
    x: FloatArray, y: FloatArray, z: FloatArray, density: float, k: int
) -> WholeArray:
    """Give for each point the `k` nearest in space, itself first; -1 where there are fewer.

    They are looked for in the 3 x 3 cells around it; a cell holds `k` / pi points on average.
    Of equally near ones the earlier is taken.
    """
    n = len(x)
    side = math.sqrt(k / (math.pi * density))
    west, south = x.min(), y.min()
    width, height = x.max() - west, y.max() - south
    while (width / side + 1.0) * (height / side + 1.0) > 4.0 * n + 64.0:
        side *= 1.5
    columns, rows = int(width / side) + 1, int(height / side) + 1
    start = np.zeros(columns * rows + 1, np.int32)
    cell = np.empty(n, np.int32)
    for i in range(n):
        cell[i] = int((y[i] - south) / side) * columns + int((x[i] - west) / side)
        start[cell[i] + 1] += 1
    for c in range(columns * rows):
        start[c + 1] += start[c]
    member = np.empty(n, np.int32)
    place = start[:-1].copy()
    for i in range(n):
        member[place[cell[i]]] = i
        place[cell[i]] += 1
    near = np.full((n, k), -1, np.int32)
    best = np.empty(k, np.float64)
    for i in range(n):
        row, column = cell[i] // columns, cell[i] % columns
        found = 0
        for r in range(max(row - 1, 0), min(row + 2, rows)):
            first = start[r * columns + max(column - 1, 0)]
            last = start[r * columns + min(column + 1, columns - 1) + 1]
            for m in range(first, last):
                j = member[m]
                d = (x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2 + (z[j] - z[i]) ** 2
                if j == i:
                    d = -1.0
                if found == k and (
                    d > best[k - 1] or (d == best[k - 1] and j > near[i, k - 1])
                ):
                    continue
                at = found if found < k else k - 1
                found = min(found + 1, k)
                while at > 0 and (
                    best[at - 1] > d or (best[at - 1] == d and near[i, at - 1] > j)
                ):
                    best[at], near[i, at] = best[at - 1], near[i, at - 1]
                    at -= 1
                best[at], near[i, at] = d, j
    return near


@helper
def normals_of(
    x: FloatArray, y: FloatArray, z: FloatArray, near: WholeArray
) -> tuple[FloatArray, FloatArray]:
    """Unit normal of each point's neighbourhood, upward, and the variance along it."""
    n, k = near.shape
    normal = np.zeros((n, 3))
    flatness = np.full(n, np.inf)
    for i in range(n):
        count = 0
        mx = my = mz = 0.0
        for m in range(k):
            j = near[i, m]
            if j >= 0:
                mx, my, mz = mx + x[j], my + y[j], mz + z[j]
                count += 1
        if count < 4:
            continue
        mx, my, mz = mx / count, my / count, mz / count
        xx = xy = xz = yy = yz = zz = 0.0
        for m in range(count):
            j = near[i, m]
            dx, dy, dz = x[j] - mx, y[j] - my, z[j] - mz
            xx, xy, xz = xx + dx * dx, xy + dx * dy, xz + dx * dz
            yy, yz, zz = yy + dy * dy, yz + dy * dz, zz + dz * dz
        least = _least_eigenvalue(xx, xy, xz, yy, yz, zz)
        ax, ay, az = xx - least, yy - least, zz - least
        # Two rows of the singular matrix span its plane; the longest cross product is sure.
        best = 0.0
        for pair in range(3):
            if pair == 0:
                nx, ny, nz = xy * yz - xz * ay, xz * xy - ax * yz, ax * ay - xy * xy
            elif pair == 1:
                nx, ny, nz = xy * az - xz * yz, xz * xz - ax * az, ax * yz - xy * xz
            else:
                nx, ny, nz = ay * az - yz * yz, yz * xz - xy * az, xy * yz - ay * xz
            length = nx * nx + ny * ny + nz * nz
            if length > best:
                best = length
                scale = (1.0 if nz >= 0.0 else -1.0) / math.sqrt(length)
                normal[i, 0], normal[i, 1], normal[i, 2] = nx * scale, ny * scale, nz * scale
        if best > 0.0:
            flatness[i] = max(least, 0.0) / count
    return normal, flatness


@helper
def _least_eigenvalue(
    xx: float, xy: float, xz: float, yy: float, yz: float, zz: float
) -> float:
    """Smallest eigenvalue of a symmetric 3 x 3 matrix (Smith 1961)."""
    q = (xx + yy + zz) / 3.0
    a, b, c = xx - q, yy - q, zz - q
    p = math.sqrt((a * a + b * b + c * c + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0)
    if p == 0.0:
        return q
    r = (a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)) / (
        2.0 * p**3
    )
    return q + 2.0 * p * math.cos(math.acos(min(max(r, -1.0), 1.0)) / 3.0 + 2.0 * math.pi / 3.0)


@helper
def add_to_sums(sums: FloatArray, x: float, y: float, z: float, sign: float) -> None:
    """Add a point to the running sums of a plane, or take it out with sign -1."""
    sums[0] += sign
    sums[1] += sign * x
    sums[2] += sign * y
    sums[3] += sign * z
    sums[4] += sign * x * x
    sums[5] += sign * x * y
    sums[6] += sign * y * y
    sums[7] += sign * x * z
    sums[8] += sign * y * z
    sums[9] += sign * z * z


@helper
def fit_sums(sums: FloatArray) -> tuple[float, float, float, bool]:
    """Least-squares plane z = a x + b y + c, and whether the points span one."""
    n = sums[0]
    if n < 3.0:
        return 0.0, 0.0, sums[3] / max(n, 1.0), False
    mx, my, mz = sums[1] / n, sums[2] / n, sums[3] / n
    xx, xy, yy = sums[4] / n - mx * mx, sums[5] / n - mx * my, sums[6] / n - my * my
    xz, yz = sums[7] / n - mx * mz, sums[8] / n - my * mz
    det = xx * yy - xy * xy
    if det <= (xx + yy) * min(1e-3 * (xx + yy), NARROW**2 / 12.0):  # along a line
        return 0.0, 0.0, mz, False
    a, b = (xz * yy - yz * xy) / det, (yz * xx - xz * xy) / det
    return a, b, mz - a * mx - b * my, True


@helper
def rms_off(sums: FloatArray, a: float, b: float, c: float) -> float:
    """Root mean square distance of summed points to a plane, square to it."""
    n = sums[0]
    total = (
        sums[9]
        + a * a * sums[4]
        + b * b * sums[6]
        + c * c * n
        - 2.0 * (a * sums[7] + b * sums[8] + c * sums[3])
        + 2.0 * (a * b * sums[5] + a * c * sums[1] + b * c * sums[2])
    )
    return math.sqrt(max(total, 0.0) / n / (1.0 + a * a + b * b))


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
    sums = _sums_of(x, y, z, owner, n_planes)
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
def _sums_of(
    x: FloatArray, y: FloatArray, z: FloatArray, owner: WholeArray, n_planes: int
) -> FloatArray:
    sums = np.zeros((n_planes, SUMS))
    for p in range(len(owner)):
        if owner[p] >= 0:
            add_to_sums(sums[owner[p]], x[p], y[p], z[p], 1.0)
    return sums


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
    sums = _sums_of(x, y, z, owner, n_planes)
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


@helper
def drop_planes_afloat(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    planes: FloatArray,
    density: float,
) -> FloatArray:
    """Drop slim planes high above others that are seen through them: jibs, booms, cables.

    Below a roof no other roof is scanned, or only a strip at its edge. A plane is dropped if,
    in the cells where its points lie, nearly as many points lie on planes far below it.
    """
    n_planes = len(planes)
    sums = _sums_of(x, y, z, owner, n_planes)
    lowest = np.full(n_planes, np.inf)
    for i in range(len(owner)):
        if owner[i] >= 0:
            lowest[owner[i]] = min(lowest[owner[i]], z[i])
    number = np.full(n_planes, -1, np.int32)
    left = 0
    for p in range(n_planes):
        n = sums[p, 0]
        if (
            lowest[p] > lowest.min() + AFLOAT_HEIGHT
            and 0.0 < n <= AFLOAT_AREA * density
            and _is_slim(sums[p])
            and _points_below(x, y, z, owner, planes, p, density) >= AFLOAT_SEEN * n
        ):
            continue
        number[p] = left
        left += 1
    if left == n_planes:
        return planes
    for i in range(len(owner)):
        if owner[i] >= 0:
            owner[i] = number[owner[i]]
    return planes[number >= 0]


@helper
def _is_slim(sums: FloatArray) -> bool:
    """Whether summed points lie in a strip of `AFLOAT_SLIM` times its width, by variances."""
    n = sums[0]
    mx, my = sums[1] / n, sums[2] / n
    xx, xy, yy = sums[4] / n - mx * mx, sums[5] / n - mx * my, sums[6] / n - my * my
    half = math.hypot(0.5 * (xx - yy), xy)
    return bool(0.5 * (xx + yy) + half >= AFLOAT_SLIM**2 * (0.5 * (xx + yy) - half))


@helper
def _points_below(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    owner: WholeArray,
    planes: FloatArray,
    p: int,
    density: float,
) -> int:
    """How many points of other planes lie far below a plane, in the cells of its points."""
    west = south = np.inf
    east = north = -np.inf
    for i in range(len(x)):
        if owner[i] == p:
            west, east = min(west, x[i]), max(east, x[i])
            south, north = min(south, y[i]), max(north, y[i])
    side = max(AFLOAT_CELL, math.sqrt(4.0 / density))
    columns, rows = int((east - west) / side) + 1, int((north - south) / side) + 1
    covered = np.zeros((rows, columns), np.bool_)
    for i in range(len(x)):
        if owner[i] == p:
            covered[int((y[i] - south) / side), int((x[i] - west) / side)] = True
    below = 0
    for i in range(len(x)):
        if (
            owner[i] < 0
            or owner[i] == p
            or not (west <= x[i] <= east and south <= y[i] <= north)
        ):
            continue
        level = planes[p, 0] * x[i] + planes[p, 1] * y[i] + planes[p, 2] - AFLOAT_HEIGHT
        if z[i] < level and covered[int((y[i] - south) / side), int((x[i] - west) / side)]:
            below += 1
    return below


@helper
def find_planes(
    x: FloatArray, y: FloatArray, z: FloatArray, area: float, rules: PlaneRules
) -> tuple[FloatArray, WholeArray]:
    """Planes a, b, c of one building and the plane of each point; see `find_roof_planes`."""
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
    return find_planes(x, y, z, area, rules)
