"""Compile all kernels of a build once, in one process, before many processes need them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numba
import numpy as np
import shapely

from cimkit.kernels._jit import CACHE_FOLDER, HERE
from cimkit.kernels.cell_neighbours import compare_neighbours, count_around, lift_to_middle
from cimkit.kernels.edge_profiles import count_across_edges
from cimkit.kernels.face_triangles import cut_faces
from cimkit.kernels.flat_faces import judge_faces
from cimkit.kernels.footprint_distance import depth_in_footprint
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.grouping import group_rows, grouped_quantiles
from cimkit.kernels.near_points import merge_near_points
from cimkit.kernels.nearest_footprint import nearest_footprints, values_near_footprints
from cimkit.kernels.number_chain import chain_course, chain_marginals
from cimkit.kernels.outline_rectangles import outline_rectangles
from cimkit.kernels.point_in_footprint import assign_points, covering_footprints
from cimkit.kernels.point_neighbourhoods import describe_neighbourhoods
from cimkit.kernels.progressive_morphology import (
    NO_HEIGHT,
    find_objects,
    find_pits,
    lowest_cells,
)
from cimkit.kernels.ring_triangles import triangulate_rings
from cimkit.kernels.roof_cover import cover_roofs
from cimkit.kernels.roof_deviation import roof_deviations
from cimkit.kernels.roof_model import RoofRules, model_roof
from cimkit.kernels.roof_residuals import Solids, roof_residuals
from cimkit.kernels.rtin import mesh_error, right_triangles, vertex_errors
from cimkit.kernels.shared_outline import shared_outline
from cimkit.kernels.shell_edges import judge_shells
from cimkit.kernels.surface_polynomial import surface_through, surface_values
from cimkit.kernels.terrain_cells import empty_sums, fill_holes, sum_cells
from cimkit.kernels.triangle_contacts import first_contacts
from cimkit.tables import Footprints
from cimkit.tables._columns import FloatArray, IntArray

_INSTALLATION = repr((HERE, sys.prefix, sys.version_info[:2], numba.config.BOUNDSCHECK))
"""Whose cache it is: another environment or mode has its own."""


def kernels_are_compiled() -> bool:
    """Whether `warm_up` has run for this state of the kernels."""
    return os.path.exists(_mark())  # noqa: PTH110  (pathlib stays in read/ and write/)


def warm_up(_: object = None) -> None:
    """Call every kernel of a build once on a few numbers; one process does, others wait for it.

    Processes that compile the same kernel at the same time waste their time, and numba's cache
    is not safe then (numba issues 4807 and 10128).
    """
    with _alone():
        if kernels_are_compiled():
            return
        _call_all()
        handle = os.open(_mark(), os.O_CREAT | os.O_WRONLY, 0o600)
        os.write(handle, _INSTALLATION.encode())
        os.close(handle)
        _remove_stale()


def _call_all() -> None:
    x = y = z = np.array([0.5, 1.5, 9.0])
    one = Footprints.from_polygons(["a"], [shapely.box(0, 0, 2, 2)])
    grid = build_grid(one)
    owner = assign_points(x, y, grid)
    covering_footprints(x, y, grid)
    nearest_footprints(x, y, grid, 5.0)
    values_near_footprints(x, y, one, 1.0)
    depth_in_footprint(x[:1], y[:1], np.zeros(1, np.int64), grid)
    grouped_quantiles(z, *group_rows(owner, 1), np.array([0.5]))
    chain_course(np.array([0, 3]), x, y, z)
    ends = np.array([0, 1, 2])
    chain_marginals(np.array([0, 2]), ends, ends[:2], np.zeros((2, 2)), x[:2], np.ones((2, 2)))
    total, points = empty_sums(2, 2)
    sum_cells(x, y, z, 1.0, 0, 0, total, points)
    outline_rectangles(np.zeros((1, 2)), np.array([0, 1]))
    surface_values(np.zeros((1, 2)), np.zeros((1, 1, 1)))
    surface_through(np.zeros((1, 1, 1)), np.ones((1, 1)), np.ones((1, 1)))
    flat = np.zeros((3, 3))
    mesh_error(flat, right_triangles(flat, vertex_errors(flat), 1.0))
    fill_holes(np.array([[1.0, np.nan], [np.nan, 2.0]], dtype=np.float32))
    lowest_cells(x, y, z, 1.0, 0, 0, np.full((2, 2), NO_HEIGHT, dtype=np.int32))
    low = np.zeros((9, 9), dtype=np.float32)
    find_pits(low)
    find_objects(low, 1.0, 3.0, 0.3, 0.3, 2.0)
    count_around(low > 1, 2)
    compare_neighbours(lift_to_middle(low, low), 0.1, 2.0)
    describe_neighbourhoods(x, y, z, x[:, None] > [1, 2], owner, 1.0)
    _warm_up_quality(x, y, z, owner, one)
    _warm_up_roofs()
    _warm_up_check()


def _warm_up_check() -> None:
    """Call the kernels that judge solids on one triangle."""
    xyz, three = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([0, 3])
    one, row = np.array([0, 1]), np.arange(3)[None]
    point = merge_near_points(xyz, three, 0.001)
    uv = judge_faces(xyz, point, three, one, 0.01)[3]
    triangulate_rings(uv, three[:1], three[1:])
    cut_faces(xyz, row[0], three, one)
    roof_deviations(xyz, row, one, one[:1], one[:1])
    judge_shells(row, one, three, np.array([False]))
    first_contacts(xyz, row, np.zeros(1, np.int64), one, np.array([True]))


def _warm_up_quality(
    x: FloatArray, y: FloatArray, z: FloatArray, owner: IntArray, one: Footprints
) -> None:
    """Points against a roof of one triangle."""
    outline = np.rint(one.xy * 1000.0).astype(np.int64), one.ring_offsets, one.polygon_offsets
    rows, borders = group_rows(owner, 1)
    first, whole = np.zeros(1, np.int64), np.array([0, 1])
    corners = np.array([[0.0, 0.0, 3.0], [2.0, 0.0, 3.0], [2.0, 2.0, 3.0]])
    kind = np.array([2], dtype=np.uint8)
    roof = Solids(corners, np.arange(3), np.array([0, 3]), whole, whole, kind)
    roof_residuals(x, y, z, rows, borders, *outline, roof, first[:, None], 0.2)
    cover_roofs(x, y, rows, borders, rows, borders, *outline)
    shared_outline(first, first, *outline, 0.1)


def _warm_up_roofs() -> None:
    """All steps of a roof, on one gable."""
    east, north = np.meshgrid(np.arange(0.25, 6.0, 0.5), np.arange(0.25, 4.0, 0.5))
    x, y = east.ravel(), north.ravel()
    z = 5.0 - np.abs(y - 2.0)
    ring = np.array([[0, 0], [6000, 0], [6000, 4000], [0, 4000]])
    model_roof(x, y, z, np.arange(len(x)), ring, np.array([0, 4]), 0.0, 4.0, RoofRules())
    count_across_edges(x, y, np.array([[0.0, 0.0, 6.0, 0.0]]), np.zeros(1, np.int64), 1)


def _mark() -> str:
    """A file in the cache folder that says that all kernels are in it, and for whom."""
    return os.path.join(CACHE_FOLDER, "compiled")  # noqa: PTH118


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of the cache folder; it ends with the process that holds it."""
    handle = os.open(os.path.join(CACHE_FOLDER, "lock"), os.O_CREAT | os.O_RDWR, 0o600)  # noqa: PTH118
    try:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove_stale() -> None:
    """Remove the caches that this installation has left, from older kernels or versions."""
    root, name = os.path.split(CACHE_FOLDER)
    for other in os.listdir(root):  # noqa: PTH208
        folder = os.path.join(root, other)  # noqa: PTH118
        if other == name or not other.startswith("numba-"):
            continue
        try:
            handle = os.open(os.path.join(folder, "compiled"), os.O_RDONLY)  # noqa: PTH118
        except OSError:
            continue  # it is being made, or somebody else's
        owner = os.read(handle, 10_000).decode()
        os.close(handle)
        if owner in ("", _INSTALLATION):  # the first as cimkit wrote it before 0.2
            shutil.rmtree(folder, ignore_errors=True)
