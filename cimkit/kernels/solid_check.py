"""Whether the faces of one solid close it: what ISO 19107 and its validators ask, in one pass.

Each edge belongs to two faces in opposite directions, rings meet no vertex twice and do not
cross themselves, faces are flat, vertices keep 1 mm apart (validators join what is closer), the
faces form one connected shell, and its volume is that of the prisms it was made from (Ledoux
2013, "On the validation of solids represented with the international standards for geographic
information").

Tolerance: coordinates are whole 0.1 mm; crossings are decided exactly in the two axes that a
face leans away from least.

Time: O(n log n) by sorting edges and vertices.
"""

from __future__ import annotations

import numpy as np

from cimkit.kernels._jit import helper, kernel
from cimkit.kernels.cell_sight import segments_meet, turn
from cimkit.kernels.half_edges import units
from cimkit.tables._columns import FloatArray, WholeArray

CHECK_EDGES = 32
"""An edge does not join two faces in opposite directions."""
CHECK_RING = 64
"""A ring has fewer than three vertices or meets one twice."""
CHECK_PLANE = 128
"""A vertex lies farther than `FLAT` from the plane of its face."""
CHECK_SIMPLE = 256
"""Rings of a face cross or overlap."""
CHECK_CLOSE = 512
"""Two vertices are closer than `APART`."""
CHECK_SHELL = 1024
"""The faces fall into several shells."""
CHECK_VOLUME = 2048
"""The volume is not positive, or not that of the prisms."""

CHECK_SLIVER = 4096
"""A face has nearly collinear vertices so close to each other that its triangulation holds a
triangle whose normal is more than 20 degrees off."""

SLIVER_COSINE = 0.93
"""Cosine of the 20 degrees that validators allow, and a little more."""

FLAT = 0.004
"""Metres; validators allow 10 mm, or 1 mm when strict."""

APART = 0.00105
"""Metres."""

VOLUME_STEP = 0.001
"""Metres: volume error allowed per area of the faces."""


@kernel
def _pair_edges(
    ring_vertex: WholeArray, ring_offsets: WholeArray, face_offsets: WholeArray, n_vertices: int
) -> int:
    """Bits for edges, rings and shells."""
    status = 0
    n = len(ring_vertex)
    n_faces = len(face_offsets) - 1
    key = np.empty(n, np.int64)
    face_of = np.empty(n, np.int64)
    met = np.full(n_vertices, -1, np.int64)
    for f in range(n_faces):
        for r in range(face_offsets[f], face_offsets[f + 1]):
            first, last = ring_offsets[r], ring_offsets[r + 1]
            if last - first < 3:
                status |= CHECK_RING
            for i in range(first, last):
                a = ring_vertex[i]
                b = ring_vertex[i + 1 if i + 1 < last else first]
                if met[a] == r:
                    status |= CHECK_RING
                met[a] = r
                key[i] = 2 * (min(a, b) * n_vertices + max(a, b)) + (a > b)
                face_of[i] = f
    order = np.argsort(key)
    parent = np.arange(n_faces)
    if n % 2 == 1:
        return status | CHECK_EDGES
    shells = n_faces
    for k in range(0, n, 2):
        i, j = order[k], order[k + 1]
        f, g = face_of[i], face_of[j]
        if key[i] + 1 != key[j] or key[i] % 2 != 0 or f == g:
            return status | CHECK_EDGES
        if k > 0 and key[order[k - 1]] >= key[i] - 1 and key[order[k - 1]] // 2 == key[i] // 2:
            return status | CHECK_EDGES
        while parent[f] != f:
            parent[f] = parent[parent[f]]
            f = parent[f]
        while parent[g] != g:
            parent[g] = parent[parent[g]]
            g = parent[g]
        if f != g:
            parent[max(f, g)] = min(f, g)
            shells -= 1
    return status | (CHECK_SHELL if shells != 1 else 0)


@kernel
def _has_close_vertices(vertices: FloatArray) -> bool:
    """Whether two vertices are closer than `APART`, by a sweep along x."""
    order = np.argsort(vertices[:, 0])
    n = len(order)
    for k in range(n):
        i = order[k]
        m = k + 1
        while m < n and vertices[order[m], 0] - vertices[i, 0] < APART:
            j = order[m]
            dy, dz = vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
            if abs(dy) < APART and abs(dz) < APART:
                dx = vertices[j, 0] - vertices[i, 0]
                if dx * dx + dy * dy + dz * dz < APART * APART:
                    return True
            m += 1
    return False


@helper
def _edges_conflict(
    u: WholeArray, v: WholeArray, ring_vertex: WholeArray, i: int, i2: int, j: int, j2: int
) -> bool:
    """Whether two edges of a face meet where they should not."""
    a, b, c, d = ring_vertex[i], ring_vertex[i2], ring_vertex[j], ring_vertex[j2]
    if a in (c, d) or b in (c, d):
        # They share an end: the other ends must not lie on the other edge.
        if (a == c and b == d) or (a == d and b == c):
            return True
        p = a if a in (c, d) else b
        q = b if p == a else a
        r = d if p == c else c
        if turn(u[p], v[p], u[q], v[q], u[r], v[r]) != 0:
            return False
        return bool((u[q] - u[p]) * (u[r] - u[p]) + (v[q] - v[p]) * (v[r] - v[p]) > 0)
    return segments_meet(u[a], v[a], u[b], v[b], u[c], v[c], u[d], v[d])


@kernel
def _crosses_itself(
    u: WholeArray,
    v: WholeArray,
    ring_vertex: WholeArray,
    ring_offsets: WholeArray,
    first_ring: int,
    last_ring: int,
    edge: WholeArray,
    low: WholeArray,
) -> bool:
    """Whether edges of a face meet outside common vertices, by a sweep along u."""
    begin, end = ring_offsets[first_ring], ring_offsets[last_ring]
    n = end - begin
    for r in range(first_ring, last_ring):
        first, last = ring_offsets[r], ring_offsets[r + 1]
        for i in range(first, last):
            j = i + 1 if i + 1 < last else first
            edge[i] = j
            low[i] = min(u[ring_vertex[i]], u[ring_vertex[j]])
    if n > 24:
        order = np.argsort(low[begin:end]) + begin
        for k in range(n):
            i = order[k]
            high = max(u[ring_vertex[i]], u[ring_vertex[edge[i]]])
            m = k + 1
            while m < n and low[order[m]] <= high:
                j = order[m]
                if _edges_conflict(u, v, ring_vertex, i, edge[i], j, edge[j]):
                    return True
                m += 1
        return False
    for i in range(begin, end):
        for j in range(i + 1, end):
            if _edges_conflict(u, v, ring_vertex, i, edge[i], j, edge[j]):
                return True
    return False


@kernel
def _sliver_at(
    vertices: FloatArray,
    ring_vertex: WholeArray,
    begin: int,
    end: int,
    a: int,
    b: int,
    c: int,
    nx: float,
    ny: float,
    nz: float,
) -> bool:
    """Whether the triangle of three successive vertices leans off and is a Delaunay triangle.

    It is one where no other vertex of the face lies in its circumscribed circle.
    """
    ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
    ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
    wx, wy, wz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
    tx, ty, tz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
    height = tx * nx + ty * ny + tz * nz
    square = tx * tx + ty * ty + tz * tz
    if height <= 0.0 or height * height > SLIVER_COSINE * SLIVER_COSINE * square:
        return False
    # Axes in the plane, along the long side a to c and square to it.
    length = np.sqrt(wx * wx + wy * wy + wz * wz)
    if length < 1e-9:
        return True
    ex, ey, ez = wx / length, wy / length, wz / length
    fx, fy, fz = ny * ez - nz * ey, nz * ex - nx * ez, nx * ey - ny * ex
    bu = ux * ex + uy * ey + uz * ez
    bv = ux * fx + uy * fy + uz * fz
    if bv == 0.0:
        return False
    centre_u = 0.5 * length
    centre_v = (bu * bu + bv * bv - length * bu) / (2.0 * bv)
    radius = centre_u * centre_u + centre_v * centre_v
    for i in range(begin, end):
        d = ring_vertex[i]
        if d in (a, b, c):
            continue
        px, py, pz = vertices[d, 0] - ax, vertices[d, 1] - ay, vertices[d, 2] - az
        pu = px * ex + py * ey + pz * ez - centre_u
        pv = px * fx + py * fy + pz * fz - centre_v
        if pu * pu + pv * pv < radius:
            return False
    return True


@kernel
def check_solid(
    vertices: FloatArray,
    ring_vertex: WholeArray,
    ring_offsets: WholeArray,
    face_offsets: WholeArray,
    expected_volume: float,
    slivers: WholeArray,
) -> tuple[int, float, int]:
    """Bits of what is wrong with a solid, and its volume.

    Parameters
    ----------
    vertices : float64 array, shape (n, 3)
        Multiples of 0.1 mm.
    ring_vertex, ring_offsets, face_offsets : int64 array
        Rings and faces as in `cimkit.tables.Models`.
    expected_volume : float
        Cubic metres; the solid may differ by 1 mm times the area of its faces.
    slivers : int64 array, shape (n, 3)
        Filled with the vertices of triangles that lean off: before, at, after.

    Returns
    -------
    status, volume, n_slivers : int, float, int
    """
    n_faces = len(face_offsets) - 1
    status = _pair_edges(ring_vertex, ring_offsets, face_offsets, len(vertices))
    if _has_close_vertices(vertices):
        status |= CHECK_CLOSE
    whole = np.empty((3, len(vertices)), np.int64)
    for s in range(len(vertices)):
        for k in range(3):
            whole[k, s] = units(vertices[s, k])
    edge = np.empty(len(ring_vertex), np.int64)
    low = np.empty(len(ring_vertex), np.int64)
    volume, surface, n_slivers = 0.0, 0.0, 0
    ox, oy, oz = vertices[0, 0], vertices[0, 1], vertices[0, 2]
    for f in range(n_faces):
        nx, ny, nz = 0.0, 0.0, 0.0
        mx, my, mz = 0.0, 0.0, 0.0
        begin, end = ring_offsets[face_offsets[f]], ring_offsets[face_offsets[f + 1]]
        for r in range(face_offsets[f], face_offsets[f + 1]):
            first, last = ring_offsets[r], ring_offsets[r + 1]
            b = ring_vertex[last - 1]
            bx, by, bz = vertices[b, 0] - ox, vertices[b, 1] - oy, vertices[b, 2] - oz
            for i in range(first, last):
                ax, ay, az = bx, by, bz
                b = ring_vertex[i]
                bx, by, bz = vertices[b, 0] - ox, vertices[b, 1] - oy, vertices[b, 2] - oz
                nx += ay * bz - az * by
                ny += az * bx - ax * bz
                nz += ax * by - ay * bx
                mx, my, mz = mx + bx, my + by, mz + bz
        n = end - begin
        mx, my, mz = mx / n, my / n, mz / n
        volume += (nx * mx + ny * my + nz * mz) / 6.0
        area = np.sqrt(nx * nx + ny * ny + nz * nz)
        surface += 0.5 * area
        if area < 1e-9:
            status |= CHECK_PLANE
            continue
        nx, ny, nz = nx / area, ny / area, nz / area
        for i in range(begin, end):
            b = ring_vertex[i]
            off = (
                (vertices[b, 0] - ox - mx) * nx
                + (vertices[b, 1] - oy - my) * ny
                + (vertices[b, 2] - oz - mz) * nz
            )
            if abs(off) > FLAT:
                status |= CHECK_PLANE
        for r in range(face_offsets[f], face_offsets[f + 1]):
            first, last = ring_offsets[r], ring_offsets[r + 1]
            for i in range(first, last):
                a = ring_vertex[i - 1 if i > first else last - 1]
                c = ring_vertex[i + 1 if i + 1 < last else first]
                if _sliver_at(
                    vertices, ring_vertex, begin, end, a, ring_vertex[i], c, nx, ny, nz
                ):
                    status |= CHECK_SLIVER
                    if n_slivers < len(slivers):
                        slivers[n_slivers, 0] = a
                        slivers[n_slivers, 1] = ring_vertex[i]
                        slivers[n_slivers, 2] = c
                        n_slivers += 1
        ku, kv = 0, 1
        if abs(nz) < max(abs(nx), abs(ny)):
            ku, kv = (1, 2) if abs(nx) > abs(ny) else (0, 2)
        if _crosses_itself(
            whole[ku],
            whole[kv],
            ring_vertex,
            ring_offsets,
            face_offsets[f],
            face_offsets[f + 1],
            edge,
            low,
        ):
            status |= CHECK_SIMPLE
    allowed = VOLUME_STEP * surface + 1e-3
    if not volume > 0.0 or abs(volume - expected_volume) > allowed:
        status |= CHECK_VOLUME
    return status, volume, n_slivers
