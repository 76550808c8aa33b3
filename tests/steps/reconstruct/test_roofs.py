"""What a user relies on: roofs of known planes come back from points."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from cimkit.check.solids import check_solids
from cimkit.steps.reconstruct import reconstruct
from cimkit.steps.reconstruct.heights import HeightRules
from cimkit.steps.singulate import singulate
from cimkit.tables import Footprints, PointCloud
from cimkit.tables.models import GROUND_SURFACE, ROOF_SURFACE
from tests.steps.reconstruct.roofs import (
    ROOFS,
    build,
    cloud_of,
    ground_around,
    places,
    points_on,
)


def at_level(models, lod):
    """Row of the one model at a level."""
    (row,) = np.flatnonzero(models.lod == lod)
    return int(row)


def faces_of(models, row, kind):
    """Faces of one kind as polygons with heights."""
    first, last = models.solid_offsets[row : row + 2]
    found = []
    for face in range(int(first), int(last)):
        if models.semantics[face] == kind:
            rings = models.face_rings(face)
            shell, *holes = (ring if kind == ROOF_SURFACE else ring[::-1] for ring in rings)
            found.append((shapely.Polygon(shell[:, :2], [h[:, :2] for h in holes]), shell))
    return found


def roof_at(models, row, x, y):
    """Height of the roof of a model above each place."""
    z = np.full(len(x), np.nan)
    for shape, shell in faces_of(models, row, ROOF_SURFACE):
        a, b, c = np.linalg.lstsq(
            np.column_stack([shell[:, :2], np.ones(len(shell))]), shell[:, 2], rcond=None
        )[0]
        on = shapely.intersects_xy(shape, x, y)
        z[on] = (a * x + b * y + c)[on]
    return z


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ROOFS)
def test_the_planes_of_a_roof_come_back(name, seed):
    roof = ROOFS[name]
    buildings, models, issues = build(roof, points_on(roof, seed=seed))
    row = at_level(models, "2.2")
    assert (buildings.lod[0], buildings.method[0], buildings.reason[0]) == ("2.2", "planes", "")
    assert issues == []
    assert check_solids(models) == []
    mesh = models.to_trimesh(row)
    assert mesh.volume == pytest.approx(roof.volume, rel=0.005)
    assert len(faces_of(models, row, ROOF_SURFACE)) == len(roof.faces)
    x, y = places(roof.footprint, 4.0, seed=9)
    off = np.abs(roof_at(models, row, x, y) - roof.heights(x, y))
    assert np.quantile(off, 0.95) < 0.03
    assert np.median(off) < 0.01


@pytest.mark.parametrize("density", [1.5, 4.0, 40.0])
@pytest.mark.parametrize("name", ROOFS)
def test_roofs_come_back_at_any_density(name, density):
    roof = ROOFS[name]
    buildings, models, _ = build(roof, points_on(roof, density=density))
    assert check_solids(models) == []
    assert buildings.lod[0] == "2.2"
    mesh = models.to_trimesh(at_level(models, "2.2"))
    assert mesh.volume == pytest.approx(roof.volume, rel=0.05 if density < 2 else 0.02)


@pytest.mark.parametrize("name", ROOFS)
def test_levels_are_nested_over_one_outline(name):
    roof = ROOFS[name]
    _, models, _ = build(roof)
    assert models.lod.tolist() == ["1.2", "1.3", "2.2"]
    n_faces, covers = [], []
    for row in range(3):
        faces = faces_of(models, row, ROOF_SURFACE)
        n_faces.append(len(faces))
        covers.append([shape for shape, _ in faces])
        ((ground, _),) = faces_of(models, row, GROUND_SURFACE)
        assert shapely.equals(ground, roof.footprint)
        assert shapely.union_all(covers[-1], grid_size=1e-4).symmetric_difference(
            roof.footprint
        ).area == pytest.approx(0, abs=0.01)
    assert n_faces == [1, roof.steps, len(roof.faces)]
    for coarse, fine in ((0, 1), (1, 2)):  # each fine face lies in one coarse face
        for shape in covers[fine]:
            shares = [shapely.intersection(shape, c).area / shape.area for c in covers[coarse]]
            assert max(shares) == pytest.approx(1, abs=0.01)


def test_a_step_is_kept_at_lod13_from_three_metres_on():
    low, high = ROOFS["low step"], ROOFS["high step"]
    for roof, rules, parts in (
        (high, HeightRules(), [6.0, 10.0]),
        (low, HeightRules(lod13_step=1.0), [6.0, 7.5]),
    ):
        _, models, _ = build(roof, rules=rules)
        row = at_level(models, "1.3")
        tops = sorted(
            {z for _, shell in faces_of(models, row, ROOF_SURFACE) for z in shell[:, 2]}
        )
        assert tops == pytest.approx(parts, abs=0.03)
    _, models, _ = build(high, rules=HeightRules(lod13_step=4.5))
    assert len(faces_of(models, at_level(models, "1.3"), ROOF_SURFACE)) == 1


@pytest.mark.parametrize("lod", [("1.2",), ("1.3",), ("2.2",), ("1.2", "2.2"), ("1.3", "2.2")])
def test_only_the_levels_asked_for_are_made(lod):
    buildings, models, issues = build(ROOFS["gable"], lod=lod)
    assert models.lod.tolist() == list(lod)
    assert buildings.lod[0] == lod[-1]
    assert buildings.method[0] == {"1.2": "extrusion", "1.3": "steps", "2.2": "planes"}[lod[-1]]
    assert (buildings.reason[0], issues) == ("", [])
    assert check_solids(models) == []


@pytest.mark.parametrize("lod", [("1.2",), ("1.3",), ("2.2",), ("1.2", "1.3", "2.2")])
def test_without_planes_there_is_one_box_that_says_so(lod):
    x, y, z = np.random.default_rng(0).uniform((0, 0, 0), (9, 0.03, 6), (400, 3)).T
    facades = np.column_stack([x, np.where(x < 4, y, 7 - y), z])
    buildings, models, issues = build(ROOFS["flat"].footprint, facades, lod=lod)
    assert models.lod.tolist() == ["1.2"]
    assert (buildings.lod[0], buildings.method[0]) == ("1.2", "extrusion")
    if lod != ("1.2",):
        assert buildings.reason[0] == "NO_ROOF_PLANE"
        assert [issue.code for issue in issues] == ["NO_ROOF_PLANE"]
    assert check_solids(models) == []


def test_without_points_nothing_is_called_more_than_a_box():
    footprint = ROOFS["hip"].footprint
    footprints = Footprints.from_polygons(["a"], [footprint], floors=[3])
    buildings, models, _ = reconstruct(footprints)
    assert (models.lod.tolist(), buildings.lod.tolist()) == (["1.2"], ["1.2"])


def street(shift=(0.0, 0.0), order=None, names=None):
    """All roofs in a row, as one city; points and rows may come in any order."""
    names = names or list(ROOFS)
    shapes, roofs, grounds = [], [], []
    for name in names:
        roof = ROOFS[name]
        move = np.array([30.0 * list(ROOFS).index(name), 0.0])
        shapes.append(shapely.transform(roof.footprint, lambda xy, m=move: xy + m + shift))
        moved = np.append(move + shift, 0.0)
        roofs.append(points_on(roof) + moved)
        grounds.append(ground_around(roof.footprint) + moved)
    cloud = cloud_of(np.concatenate(roofs), np.concatenate(grounds))
    if order is not None:
        cloud = cloud.take(order.permutation(len(cloud)))
    footprints = Footprints.from_polygons(names, shapes)
    owner = singulate(cloud, footprints)
    return reconstruct(footprints, cloud, building_of_point=owner)


@pytest.fixture(scope="module")
def plain_street():
    return street()


def same_bits(a, b):
    """Whether two Models have the same bits."""
    return all(
        getattr(a, name).tobytes() == getattr(b, name).tobytes()
        for name in ("vertices", "ring_vertex", "ring_offsets", "face_offsets", "semantics")
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_points_does_not_matter(plain_street, seed):
    buildings, models, _ = street(order=np.random.default_rng(seed))
    assert same_bits(models, plain_street[1])
    assert buildings.to_pandas().equals(plain_street[0].to_pandas())


@pytest.mark.parametrize(
    "shift",
    [(1000.0, -3000.0), (85_000.0, 446_000.0), (38_500_000.0, 3_400_000.0), (0.123, 7654.321)],
)
def test_the_place_on_the_map_does_not_matter(plain_street, shift):
    moved = street(shift)[1]
    at_home = plain_street[1]
    np.testing.assert_array_equal(moved.ring_vertex, at_home.ring_vertex)
    np.testing.assert_array_equal(moved.semantics, at_home.semantics)
    units = np.rint(moved.vertices * 1e4) - np.rint([*np.array(shift) * 1e4, 0])
    np.testing.assert_array_equal(units, np.rint(at_home.vertices * 1e4))


def test_the_company_of_a_building_does_not_matter(plain_street):
    names = list(ROOFS)[::-1]
    _, models, _ = street(names=names)
    ids = models.building_id.tolist()
    for name in names:
        rows = np.array([i for i, own in enumerate(ids) if own == name])
        alone = models.take(rows)
        own = np.flatnonzero(plain_street[1].building_id == name)
        assert same_bits(alone, plain_street[1].take(own))
        assert same_bits(alone, street(names=[name])[1])


def test_more_complexity_never_gives_fewer_faces():
    roof = ROOFS["dormer"]
    rng = np.random.default_rng(0)
    xyz = points_on(roof, noise=0.06)
    for x0, y0 in rng.uniform((1, 5), (10, 7), (4, 2)):  # chimneys
        on = (np.abs(xyz[:, 0] - x0) < 0.5) & (np.abs(xyz[:, 1] - y0) < 0.5)
        xyz[on, 2] += 1.2
    counts = []
    for complexity in (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0):
        _, models, _ = build(roof, xyz, rules=HeightRules(roof_complexity=complexity))
        assert check_solids(models) == []
        counts.append(len(faces_of(models, at_level(models, "2.2"), ROOF_SURFACE)))
    assert counts == sorted(counts)
    assert counts[0] < 3 < counts[-1]


def test_one_bad_building_does_not_change_its_neighbours(plain_street):
    names = list(ROOFS)
    shapes = [
        shapely.transform(ROOFS[n].footprint, lambda xy, m=30.0 * k: xy + np.array([m, 0]))
        for k, n in enumerate(names)
    ]
    shapes.append(shapely.box(0, 100, 100, 100.001))  # a sliver
    roofs = [points_on(ROOFS[n]) + np.array([30.0 * k, 0, 0]) for k, n in enumerate(names)]
    grounds = [
        ground_around(ROOFS[n].footprint) + np.array([30.0 * k, 0, 0])
        for k, n in enumerate(names)
    ]
    wild = np.column_stack([np.linspace(0, 100, 50), np.full(50, 100.0), np.full(50, 1e6)])
    cloud = cloud_of(np.concatenate([*roofs, wild]), np.concatenate(grounds))
    footprints = Footprints.from_polygons([*names, "sliver"], shapes)
    _, models, _ = reconstruct(
        footprints, cloud, building_of_point=singulate(cloud, footprints)
    )
    others = np.flatnonzero(models.building_id != "sliver")
    assert same_bits(models.take(others), plain_street[1])
    assert "sliver" in models.building_id


def test_points_may_come_as_an_array():
    roof = ROOFS["gable"]
    cloud = cloud_of(points_on(roof), ground_around(roof.footprint))
    footprints = Footprints.from_polygons(["a"], [roof.footprint])
    owner = singulate(cloud, footprints)
    array = np.column_stack([cloud.x, cloud.y, cloud.z, cloud.classification])
    first = reconstruct(footprints, cloud, building_of_point=owner)[1]
    second = reconstruct(footprints, array, building_of_point=owner)[1]
    assert isinstance(cloud, PointCloud)
    assert same_bits(first, second)
