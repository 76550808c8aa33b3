"""Lines between roof planes: rasters, directions, intersections, steps."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from scipy.spatial import cKDTree
from shapely import Polygon, box

from cimkit.kernels.roof_lines import (
    LineRules,
    _keep,
    _parting_offset,
    _runs,
    _without_doubles,
    find_roof_lines,
    outline_directions,
)
from cimkit.kernels.roof_raster import _smooth, inside_raster, label_raster
from tests.kernels.buildings import random_footprint, rings_of

RULES = LineRules()
SQUARE = np.array([[0.0, 0], [10, 0], [10, 8], [0, 8]])
ONE_RING = np.array([0, 4])


def centres(west, south, cell, rows, columns):
    x, y = np.meshgrid(
        west + (np.arange(columns) + 0.5) * cell, south + (np.arange(rows) + 0.5) * cell
    )
    return x, y


@pytest.mark.parametrize("seed", range(12))
def test_the_raster_of_the_footprint_is_that_of_shapely(seed):
    rng = np.random.default_rng(seed)
    shape = random_footprint(rng)
    rings, offsets = rings_of(shape)
    low, high = rings.min(0), rings.max(0)
    west, south = low + rng.uniform(-2, 1.5, 2)  # may begin within the footprint
    cell = rng.uniform(0.2, 0.7)
    rows, columns = ((high - (west, south) + rng.uniform(-1, 1)) / cell).astype(int)[::-1] + 1
    rows, columns = max(rows, 1), max(columns, 1)
    found = inside_raster(rings, offsets, west, south, cell, rows, columns)
    parts = np.split(rings, offsets[1:-1])
    x, y = centres(west, south, cell, rows, columns)
    expected = shapely.contains_xy(Polygon(parts[0], parts[1:]), x, y)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("seed", range(6))
def test_labels_are_those_of_the_nearest_point(seed):
    """Propagation over neighbours may miss the nearest by a hair, never by half a cell."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    x, y, z = rng.uniform(-1, 7, n), rng.uniform(-1, 7, n), rng.uniform(0, 9, n)
    owner = np.arange(n, dtype=np.int32)
    owner[::7] = -1
    cell, rows, columns = 0.5, 12, 13
    label = label_raster(x, y, z, owner, 0.0, 0.0, cell, rows, columns)
    on = (owner >= 0) & (x >= 0) & (y >= 0) & (x < columns * cell) & (y < rows * cell)
    place = np.column_stack([(x / cell).astype(int), (y / cell).astype(int)])
    for i in np.flatnonzero(on):  # of several in a cell the highest
        same = on & (place == place[i]).all(axis=1)
        on[i] = z[i] == z[same].max()
    xc, yc = centres(0.0, 0.0, cell, rows, columns)
    if not on.any():
        assert (label == -1).all()
        return
    tree = cKDTree(np.column_stack([x, y])[on])
    nearest = tree.query(np.column_stack([xc.ravel(), yc.ravel()]))[0]
    taken = np.hypot(x[label] - xc, y[label] - yc).ravel()
    assert (label >= 0).all()
    # Smoothing moves a label by at most two cells.
    assert (taken <= nearest + 2 * np.sqrt(2) * cell + 1e-9).all()
    assert np.median(taken - nearest) < 0.25 * cell


def test_two_clear_halves_stay_halves():
    x, y = (v.ravel() for v in np.meshgrid(np.arange(0.25, 6, 0.5), np.arange(0.25, 6, 0.5)))
    owner = np.where(x < 3, 0, 1).astype(np.int32)
    label = label_raster(x, y, np.zeros(len(x)), owner, 0.0, 0.0, 0.25, 24, 24)
    np.testing.assert_array_equal(label, np.tile(np.repeat([0, 1], 12), (24, 1)))


def test_the_highest_point_of_a_cell_counts():
    x = y = np.array([0.5, 0.6, 0.4])
    owner = np.array([0, 1, 2], dtype=np.int32)
    label = label_raster(x, y, np.array([3.0, 5.0, 4.0]), owner, 0.0, 0.0, 1.0, 1, 1)
    assert label.tolist() == [[1]]


@pytest.mark.parametrize("seed", range(5))
def test_smoothing_is_a_mode(seed):
    label = np.random.default_rng(seed).integers(-1, 3, (9, 11)).astype(np.int32)
    expected = label.copy()
    for row in range(1, 8):
        for column in range(1, 10):
            values, counts = np.unique(
                label[row - 1 : row + 2, column - 1 : column + 2], return_counts=True
            )
            most = values[counts == counts.max()]
            own = label[row, column]
            expected[row, column] = own if own in most else most[0]
    np.testing.assert_array_equal(_smooth(label), expected)


def test_directions_of_an_outline():
    ring = np.array([[0.0, 0], [10, 0], [10, 4], [8, 6], [0, 6], [0.2, 5.8]])
    found = np.degrees(outline_directions(ring, np.array([0, 6])))
    # The longest first; 90 degrees is that of 88, the short edge has none.
    assert found.round(0).tolist() == [0.0, 88.0, 135.0]
    assert not len(outline_directions(ring / 100, np.array([0, 6])))


def test_a_round_outline_has_a_dozen_directions():
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ring = 20 * np.column_stack([np.cos(angle), np.sin(angle)])
    assert len(outline_directions(ring, np.array([0, 90]))) == 12


def test_runs_break_at_gaps():
    along = np.array([5.0, 0.0, 1.0, 9.0, 2.0])
    chosen = np.array([True, True, True, False, True])
    assert list(_runs(along, chosen, 1.5)) == [(0.0, 2.0), (5.0, 5.0)]
    assert list(_runs(along, np.zeros(5, bool), 1.5)) == []


def test_lines_beside_longer_ones_are_left_out():
    lines = np.array(
        [
            [0, 0.1, 4, 0.1, 4.0],  # beside the longest
            [0, 0, 9, 0, 9.0],
            [0, 1, 9, 1, 5.0],  # a metre off
            [5, 0, 12, 0, 3.0],  # reaches beyond
            [0, 0, 0, 5, 2.0],  # across
            [3, 3, 3, 3, 6.0],  # no length: nothing lies beside it
            [3, 3, 3, 3, 1.0],
        ]
    )
    kept = _without_doubles(lines, 0.15)
    assert kept[:, 4].tolist() == [9.0, 6.0, 5.0, 3.0, 2.0, 1.0]


def test_kept_lines_find_room():
    lines, count = np.empty((1, 5)), 0
    for k in range(5):
        lines, count = _keep(lines, count, k, 0.0, k, 1.0, 1.0)
    assert (count, lines[:5, 0].tolist()) == (5, [0.0, 1.0, 2.0, 3.0, 4.0])


def parted(x, owner, offset=0.0):
    """The best place along x to part points of plane 0 from those of plane 1."""
    y = np.full(len(x), 5.0)
    owner = np.asarray(owner, dtype=np.int32)
    # A line along y: across is -x.
    return -_parting_offset(np.asarray(x), y, owner, 0, 1, 0.0, 1.0, -offset, 0.0, 9.0, 0.75)


def test_a_step_lies_where_it_parts_the_points():
    x = np.array([-0.5, -0.2, 0.1, 0.3, 0.5, 0.6, 0.2])
    assert parted(x, [0, 0, 0, 1, 1, 1, 2]) == pytest.approx(0.2)
    assert parted(x, [1, 1, 1, 0, 0, 0, 2]) == pytest.approx(0.2)
    assert parted(x[:1], [0]) == 0.0  # one point says nothing
    assert parted(x[:2], [0, 0]) == 0.0  # all on one side
    many = np.linspace(-0.7, 0.7, 200)
    assert parted(many, np.where(many < 0.33, 0, 1)) == pytest.approx(0.33, abs=0.01)


def test_a_place_is_never_worse_than_the_first():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, owner = rng.uniform(-0.7, 0.7, 30), rng.integers(0, 2, 30)

        def wrong(place, x=x, owner=owner):
            crossed = np.count_nonzero((x > place) == (owner == 0))
            return min(crossed, 30 - crossed)

        assert wrong(parted(x, owner)) <= wrong(0.0)


def scene(regions, seed=0, density=10.0, ring=SQUARE):
    """Points with planes: regions are (polygon, plane); returns the arguments of the kernel."""
    rng = np.random.default_rng(seed)
    low, high = ring.min(0), ring.max(0)
    n = int(density * np.prod(high - low))
    xy = rng.uniform(low, high, (n, 2))
    xy = xy[np.lexsort((xy[:, 0], xy[:, 1]))]
    owner, z = np.full(n, -1, np.int32), np.zeros(n)
    planes = np.array([plane for _, plane in regions], dtype=float)
    for p, (shape, (a, b, c)) in enumerate(regions):
        on = shapely.contains_xy(shape, *xy.T)
        owner[on], z[on] = p, (xy @ (a, b) + c)[on]
    offsets = np.array([0, len(ring)])
    x, y = (v.copy() for v in xy.T)
    return x, y, z, owner, planes, ring, offsets, density, RULES


def off_line(lines, a, b):
    """Distance of the ends of each line from the line through two places."""
    (ax, ay), (bx, by) = a, b
    length = np.hypot(bx - ax, by - ay)
    gaps = [
        np.abs((bx - ax) * (lines[:, k + 1] - ay) - (by - ay) * (lines[:, k] - ax)) / length
        for k in (0, 2)
    ]
    return np.maximum(*gaps)


def test_one_plane_has_no_lines():
    assert find_roof_lines(*scene([(box(0, 0, 10, 8), (0, 0, 5))])).shape == (0, 5)


def test_the_ridge_of_a_gable_is_exact_and_whole():
    gable = [(box(0, 0, 10, 4), (0, 0.7, 4)), (box(0, 4, 10, 8), (0, -0.7, 9.6))]
    lines = find_roof_lines(*scene(gable))
    assert off_line(lines[:1], (0, 4), (10, 4))[0] < 1e-9
    assert abs(lines[0, 2] - lines[0, 0]) > 9.0
    assert lines[0, 4] == lines[:, 4].max()


def test_a_hip_has_its_ridge_and_hips():
    west, east = (4, 4), (6, 4)
    hip = [
        (Polygon([(0, 0), (10, 0), east, west]), (0, 0.7, 4)),
        (Polygon([(10, 0), (10, 8), east]), (-0.7, 0, 11)),
        (Polygon([(10, 8), (0, 8), west, east]), (0, -0.7, 9.6)),
        (Polygon([(0, 8), (0, 0), west]), (0.7, 0, 4)),
    ]
    lines = find_roof_lines(*scene(hip))
    for a, b in [
        (west, east),
        ((0, 0), west),
        ((10, 0), east),
        ((10, 8), east),
        ((0, 8), west),
    ]:
        assert (off_line(lines, a, b) < 1e-6).any(), (a, b)


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_a_step_follows_the_direction_of_the_outline(turn):
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    corners = SQUARE @ spin

    def spun(shape):
        return shapely.transform(shape, lambda xy: xy @ spin)

    halves = [(spun(box(0, 0, 6, 8)), (0, 0, 4)), (spun(box(6, 0, 10, 8)), (0, 0, 6))]
    lines = find_roof_lines(*scene(halves, ring=corners))
    a, b = np.array([[6.0, 0], [6, 8]]) @ spin
    assert off_line(lines[:1], a, b)[0] < 0.1
    assert np.hypot(*(lines[0, 2:4] - lines[0, :2])) > 7.0


def test_a_dormer_is_fenced_on_all_sides():
    dormer = box(3, 1, 6, 3)
    roof = [(box(0, 0, 10, 8).difference(dormer), (0, 0.5, 3)), (dormer, (0, 0, 6))]
    lines = find_roof_lines(*scene(roof))
    sides = [((3, 1), (3, 3)), ((6, 1), (6, 3)), ((3, 1), (6, 1)), ((3, 3), (6, 3))]
    for a, b in sides:
        assert (off_line(lines, a, b) < 0.2).any(), (a, b)


def test_borders_outside_the_footprint_make_no_lines():
    ring = np.array([[0.0, 0], [10, 0], [10, 3], [0, 3]])
    x, y, z, owner, planes, *_ = scene(
        [(box(0, 0, 10, 4.5), (0, 0, 4)), (box(0, 4.5, 10, 8), (0, 0, 6))]
    )
    assert len(find_roof_lines(x, y, z, owner, planes, ring, ONE_RING, 10.0, RULES)) == 0


def test_planes_without_points_make_no_lines():
    x, y, z, owner, planes, *rest = scene([(box(0, 0, 10, 8), (0, 0, 4))])
    more = np.concatenate([planes, planes + 1])
    assert len(find_roof_lines(x, y, z, owner, more, *rest)) == 0
