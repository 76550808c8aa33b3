"""The ground as a pyramid of triangle meshes: its squares, and what each leaves out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cimkit.kernels.rtin import mesh_error, right_triangles, vertex_errors
from cimkit.tables import Terrain
from cimkit.tables._columns import FloatArray
from cimkit.tables.terraintile import TerrainTile

SIDE = 256
"""Cells along the side of a square at its own step, a power of two."""

TOLERANCE_M = 0.2
"""Metres that a mesh may be off at full detail; twice as much with each level."""

ERROR_MIN = 0.5
"""Metres. The least error of a square that is refined."""


def terrain_tiles(terrain: Terrain) -> Iterator[TerrainTile]:
    """Cut the ground into squares, from full detail up to one that shows all.

    Parameters
    ----------
    terrain : Terrain

    Yields
    ------
    TerrainTile
        Level by level from full detail on, by rows; the last one is the root. Squares without
        a triangle are left out; none for a terrain without heights.

    Notes
    -----
    The error of a square is what its mesh is off its own grid, measured, and what this grid is
    off the finer ones: at each level the largest deviation of a height that falls away from the
    mean of its neighbours, added up from below.

    Examples
    --------
    >>> flat = Terrain(np.full((9, 9), 7.0), np.ones((9, 9), bool), 0.0, 0.0, 10.0)
    >>> [len(tile.triangle) > 0 for tile in terrain_tiles(flat)]
    [True]
    """
    rows, columns = terrain.z.shape
    if not np.isfinite(terrain.z).any():
        return
    west, south = round(terrain.x0 / terrain.cell), round(terrain.y0 / terrain.cell)
    level = 0
    below: dict[tuple[int, int], tuple[float, float]] = {}
    while True:
        step = 2**level
        span = SIDE * step
        across = range(west // span, (west + columns - 1) // span + 1)
        up = range(south // span, (south + rows - 1) // span + 1)
        here: dict[tuple[int, int], tuple[float, float]] = {}
        for row in up:
            for column in across:
                z = _heights(terrain, column * span - west, row * span - south, step)
                parts = tuple(
                    (2 * column + k % 2, 2 * row + k // 2)
                    for k in range(4)
                    if (2 * column + k % 2, 2 * row + k // 2) in below
                )
                tile = _tile(level, column, row, z, parts, below)
                if tile is None:
                    continue
                resampled = max((below[part][0] for part in parts), default=0.0)
                here[column, row] = resampled + _thinned(z), tile.error
                yield tile
        if len(across) * len(up) == 1 or not here:
            return
        below, level = here, level + 1


def _tile(
    level: int,
    column: int,
    row: int,
    z: FloatArray,
    parts: tuple[tuple[int, int], ...],
    below: dict[tuple[int, int], tuple[float, float]],
) -> TerrainTile | None:
    """One square; None where nothing is known."""
    if not np.isfinite(z).any():
        return None
    # Unknown cells end the mesh; where even a corner of all is unknown it is cut to the cell.
    triangle = right_triangles(z, vertex_errors(z), TOLERANCE_M * 2**level)
    if not len(triangle):
        return None
    error = 0.0
    if level:
        resampled = max((below[part][0] for part in parts), default=0.0)
        least = max((1.1 * below[part][1] for part in parts), default=0.0)
        error = max(mesh_error(z, triangle) + resampled, least, ERROR_MIN)
    return TerrainTile(level, column, row, z, triangle, error, parts if level else ())


def _heights(terrain: Terrain, column: int, row: int, step: int) -> FloatArray:
    """Heights of a square of vertices, at each `step`-th cell; NaN outside the grid."""
    rows, columns = terrain.z.shape
    r, c = row + step * np.arange(SIDE + 1), column + step * np.arange(SIDE + 1)
    inside = ((r >= 0) & (r < rows))[:, None] & ((c >= 0) & (c < columns))[None, :]
    z = terrain.z[np.clip(r, 0, rows - 1)][:, np.clip(c, 0, columns - 1)].astype(np.float64)
    return np.where(inside, z, np.nan)


def _thinned(z: FloatArray) -> float:
    """Farthest that a height lies from the mean of those that the next level keeps."""
    between = (
        z[1::2, ::2] - (z[:-1:2, ::2] + z[2::2, ::2]) / 2,
        z[::2, 1::2] - (z[::2, :-1:2] + z[::2, 2::2]) / 2,
        z[1::2, 1::2] - (z[:-1:2, :-1:2] + z[2::2, 2::2]) / 2,
        z[1::2, 1::2] - (z[:-1:2, 2::2] + z[2::2, :-1:2]) / 2,
    )
    known = [np.abs(part[np.isfinite(part)]) for part in between]
    return float(max((part.max() for part in known if len(part)), default=0.0))
