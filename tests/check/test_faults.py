"""Each number is proved by a model with exactly that fault, and by a sound neighbour."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.check.faults import RULES, issue_of
from cimkit.check.solids import WORDS, check_boundaries
from tests.check.bodies import (
    bipyramid,
    boundaries,
    box,
    folded,
    gable,
    lifted,
    prism,
    pyramid_on_box,
    solid,
    surface,
    turned,
)
from tests.extruded import boxes

SQUARE = [(0, 0, 0), (9, 0, 0), (9, 9, 0), (0, 9, 0)]


def numbers(table, **tolerances):
    return sorted({fault.number for fault in check_boundaries(table, **tolerances)})


def hole(x, y, size=2.0, z=0.0):
    """A square hole: clockwise from above."""
    return [(x, y, z), (x, y + size, z), (x + size, y + size, z), (x + size, y, z)]


def with_top(top):
    """A box with another outline of its roof."""
    return solid([*box()[:-1], [top]])


def with_point(gap):
    """A box with a point more on an edge of the roof, in both faces."""
    shell = box()
    at = (gap, 0, 4)
    wall, top = shell[1][0], shell[-1][0]
    shell[1] = [[*wall[:3], at, wall[3]]]
    shell[-1] = [[top[0], at, *top[1:]]]
    return solid(shell)


def notched(gap):
    """A face with a notch whose tip comes close to the far edge."""
    return surface(
        [[(0, 0, 0), (9, 0, 0), (9, 9, 0), (6, 9, 0), (5, gap, 0), (4, 9, 0), (0, 9, 0)]]
    )


def two(first, second, *, kind="CompositeSolid"):
    return boundaries(kind, [[first], [second]])


def parts(first, second, **columns):
    """Two primitives of one building."""
    return boundaries("Solid", [[first]], [[second]], feature_id=["house", "house"], **columns)


def tile(i, j):
    """A square of a chequered floor."""
    return [[(i, j, 0), (i + 1, j, 0), (i + 1, j + 1, 0), (i, j + 1, 0)]]


TILES = sorted({(i, j) for i in range(4) for j in range(4)} - {(1, 2), (2, 1)})
"""Without two squares that meet in a corner."""

DIAMOND = [(0, 4.5, 0), (4.5, 6, 0), (9, 4.5, 0), (4.5, 3, 0)]
TETRAHEDRON = [(0, 0, 0), (4, 0, 0), (0, 4, 0), (0, 0, 4)]
TETRAHEDRON_FACES = [
    [[TETRAHEDRON[i] for i in face]] for face in ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
]

FAULTY = {
    "a ring of two points": (101, with_top([(0, 0, 4), (4, 0, 4)])),
    "no ring": (101, surface([])),
    "a point twice": (102, with_top([*box()[-1][0], (0, 4, 4)])),
    "points 0.9 mm apart": (102, with_point(0.0009)),
    "points 1 mm apart": (102, with_point(0.001)),
    "first point again at the end": (102, with_top([*box()[-1][0], box()[-1][0][0]])),
    "a hole with a point twice": (102, surface([SQUARE, [*hole(3, 3), (5, 3, 0)]])),
    "a bow-tie": (104, with_top([(0, 0, 4), (4, 4, 4), (4, 0, 4), (0, 4, 4)])),
    "a spike": (104, surface([[*SQUARE, (0, 5, 0), (-3, 5, 0), (-1, 5, 0)]])),
    "a triangle that is a line": (104, surface([[(0, 0, 0), (1, 1, 1), (3, 3, 3)]])),
    "a ring that is a line": (104, surface([[(0, 0, 0), (1, 1, 0), (3, 3, 0), (2, 2, 0)]])),
    "a point on a far edge": (104, notched(0.0)),
    "a hole that is a bow-tie": (
        104,
        surface([SQUARE, [(2, 2, 0), (4, 4, 0), (4, 2, 0), (2, 4, 0)]]),
    ),
    "a hole that leaves the outline": (201, surface([SQUARE, hole(8, 3)])),
    "holes that overlap": (201, surface([SQUARE, hole(2, 2), hole(3, 3)])),
    "holes that share an edge": (201, surface([SQUARE, hole(2, 2), hole(4, 2)])),
    "the same hole twice": (202, surface([SQUARE, hole(2, 2), hole(2, 2)])),
    "a hole that is the outline": (202, surface([SQUARE, SQUARE[::-1]])),
    "a lifted corner": (203, solid(lifted(0.041))),
    "a fold": (204, solid(folded(21.0))),
    "a hole from side to side": (205, surface([SQUARE, DIAMOND])),
    "a hole outside": (206, surface([SQUARE, hole(12, 3)])),
    "a hole in a hole": (207, surface([SQUARE, hole(1, 1, 6), hole(3, 3, 1)])),
    "a hole that turns like the outline": (208, surface([SQUARE, hole(3, 3)[::-1]])),
    "three faces": (301, solid(TETRAHEDRON_FACES[:3])),
    "no roof": (302, solid(box()[:-1])),
    "a crack of 2 mm": (
        302,
        with_top([(0, 0, 4), (4, 0, 4), (4, 4, 4.002), (0, 4, 4)]),
    ),
    "a point of an edge in one face only": (
        302,
        with_top([(0, 0, 4), (2, 0, 4), (4, 0, 4), (4, 4, 4), (0, 4, 4)]),
    ),
    "two boxes with an edge in common": (303, solid(box() + box(4, 4, 0, by=(2, 2, 4)))),
    "two boxes with a point in common": (303, solid(box() + box(4, 4, 4, by=(2, 2, 2)))),
    "a wall twice": (303, solid([*box(), box()[2]])),
    "a composite surface with two fans at a point": (
        303,
        surface(*[tile(i, j) for i, j in TILES], kind="CompositeSurface"),
    ),
    "two boxes": (305, solid(box() + box(9, 0, 0, by=(2, 2, 2)))),
    "a box and a lone wall": (305, solid([*box()[:-1], *box(9, 0, 0, by=(2, 2, 2))[:-1]])),
    "a composite surface in parts": (
        305,
        surface([SQUARE], [[(x, y, 5) for x, y, _ in SQUARE]], kind="CompositeSurface"),
    ),
    "a roof that hangs through the floor": (306, solid(pyramid_on_box((2, 2, -1)))),
    "a roof that stands on the floor": (306, solid(pyramid_on_box((2, 2, 0)))),
    "a roof through a wall": (306, solid(pyramid_on_box((7, 2, 2)))),
    "a roof that leans through a wall": (306, solid(pyramid_on_box((2, -3, 2)))),
    "a wall turned round": (307, solid([box()[0], turned([box()[1]])[0], *box()[2:]])),
    "a void through a wall": (401, solid(box(), turned(box(3, 1, 1, by=(2, 1, 1))))),
    "a void on a wall": (401, solid(box(), turned(box(3, 1, 1, by=(1, 1, 1))))),
    "a void that touches a wall from outside": (
        401,
        solid(box(), turned(box(4, 1, 1, by=(1, 1, 1)))),
    ),
    "a void around all": (401, solid(box(), turned(box(-1, -1, -1, by=(9, 9, 9))))),
    "voids that overlap": (
        401,
        solid(box(), turned(box(1, 1, 1, by=(1, 1, 1))), turned(box(1.5, 1, 1, by=(1, 1, 1)))),
    ),
    "voids wall to wall": (
        401,
        solid(box(), turned(box(1, 1, 1, by=(1, 1, 1))), turned(box(2, 1, 1, by=(1, 1, 1)))),
    ),
    "a void twice": (402, solid(box(), *[turned(box(1, 1, 1, by=(1, 1, 1)))] * 2)),
    "a void outside": (403, solid(box(), turned(box(9, 1, 1, by=(1, 1, 1))))),
    "a void from wall to wall": (404, solid(box(), turned(bipyramid(0.0)))),
    "a solid inside out": (405, solid(turned(box()))),
    "a void inside out": (405, solid(box(), box(1, 1, 1, by=(1, 1, 1)))),
    "solids that overlap": (501, two(box(), box(3, 1, 1, by=(4, 1, 1)))),
    "a solid in a solid": (501, two(box(), box(1, 1, 1, by=(1, 1, 1)))),
    "a solid twice": (502, two(box(), box())),
    "a solid twice, cut otherwise": (
        502,
        two(box(), [[ring[1:] + ring[:1]] for [ring] in box()[::-1]]),
    ),
    "solids apart": (503, two(box(), box(9, 0, 0, by=(1, 1, 1)))),
    "solids that share an edge": (503, two(box(), box(4, 4, 0, by=(2, 2, 4)))),
    "parts that overlap": (601, parts(box(), box(3, 1, 0, by=(4, 2, 2)))),
    "a part of two solids": (
        601,
        boundaries(
            "CompositeSolid",
            [[box()], [box(4, 0, 0, by=(2, 4, 4))]],
            [[box(5, 1, 1, by=(4, 1, 1))]],
            feature_id=["house", "house"],
        ),
    ),
    "no face": (902, solid([])),
    "no shell": (902, boundaries("Solid", [[]])),
    "no solid": (902, boundaries("MultiSolid", [])),
    "no surface": (902, surface()),
}

SOUND = {
    "a box": solid(box()),
    "a tetrahedron": solid(TETRAHEDRON_FACES),
    "a gable": solid(gable([(0, 0), (4, 0), (4, 3), (2, 5), (0, 3)])),
    "points 1.1 mm apart": with_point(0.0011),
    "a notch up to 2 mm": notched(0.002),
    "a hole": surface([SQUARE, hole(3, 3)]),
    "a hole that touches the outline in a point": surface(
        [SQUARE, [(0, 4, 0), (2, 5, 0), (2, 3, 0)]]
    ),
    "holes that touch in a point": surface([SQUARE, hole(2, 2), hole(4, 4)]),
    "a hole 2 mm off another": surface([SQUARE, hole(2, 2), hole(4.002, 2)]),
    "a corner lifted within the tolerance": solid(lifted(0.039)),
    "a fold within the tolerance": solid(folded(19.0)),
    "a crack of 0.9 mm": solid([*box()[:-1], [[(x, y, 4.0009) for x, y, _ in box()[-1][0]]]]),
    "a surface with a fold at a point of two fans": surface(
        [[(0, 0, 0), (4, 0, 0), (4, 4, 0)]], [[(0, 0, 0), (-4, -4, 0), (-4, 0, 0)]]
    ),
    "a composite surface": surface(*box()[1:], kind="CompositeSurface"),
    "surfaces in parts": surface([SQUARE], [[(x, y, 5) for x, y, _ in SQUARE]]),
    "a roof that ends above the floor": solid(pyramid_on_box((2, 2, 0.002))),
    "a void": solid(box(), turned(box(1, 1, 1, by=(1, 1, 1)))),
    "a void that touches a wall along an edge": solid(
        box(), turned(prism([(0, 2), (1, 1), (2, 2), (1, 3)], 1.0, 2.0))
    ),
    "voids that touch along an edge": solid(
        box(), turned(box(1, 1, 1, by=(1, 1, 1))), turned(box(2, 2, 1, by=(1, 1, 1)))
    ),
    "a void nearly from wall to wall": solid(box(), turned(bipyramid(0.001))),
    "solids wall to wall": two(box(), box(4, 1, 1, by=(1, 1, 1))),
    "three solids in a row": boundaries(
        "CompositeSolid",
        [[box(4, 0, 0, by=(4, 4, 4))], [box(8, 0, 0, by=(4, 4, 4))], [box()]],
    ),
    "many solids that overlap": two(box(), box(3, 1, 1, by=(4, 1, 1)), kind="MultiSolid"),
    "parts wall to wall": parts(box(), box(4, 1, 0, by=(4, 2, 2))),
    "parts of two levels of detail": parts(
        box(), box(3, 1, 0, by=(4, 2, 2)), lod=["1.2", "2.2"]
    ),
    "parts of what is no building": parts(
        box(), box(3, 1, 0, by=(4, 2, 2)), is_building=np.zeros(2)
    ),
    "a part in the void of another": boundaries(
        "Solid",
        [[box(), turned(box(1, 1, 1, by=(2, 2, 2)))]],
        [[box(1.5, 1.5, 1.5, by=(1, 1, 1))]],
        feature_id=["house", "house"],
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_found_and_no_other(name):
    number, table = FAULTY[name]
    assert numbers(table) == [number]


@pytest.mark.parametrize("name", SOUND)
def test_sound_neighbours_pass(name):
    assert numbers(SOUND[name]) == []


def test_every_number_is_proved_or_of_the_reader():
    assert {number for number, _ in FAULTY.values()} == set(RULES) - {901, 905, 906, 999}
    assert set(WORDS) <= set(RULES)
    assert all(code.startswith(f"SOLID_{number}_") for number, (code, _) in RULES.items())


def moved(table, *, turn=0.0, shift=(0.0, 0.0, 0.0)):
    """The same table elsewhere, turned about the vertical."""
    c, s = np.cos(turn), np.sin(turn)
    xyz = table.vertices @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]]) + shift
    names = ("object_id", "feature_id", "lod", "geometry", "kind", "is_building")
    offsets = ("ring_offsets", "face_offsets", "shell_offsets", "solid_offsets")
    return type(table)(
        *(getattr(table, name) for name in names),
        xyz,
        table.ring_vertex,
        *(getattr(table, name) for name in offsets),
        table.primitive_offsets,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*FAULTY, *SOUND]),
    st.floats(0, 6.3),
    st.tuples(
        st.integers(-90_000, 90_000), st.integers(-90_000, 90_000), st.integers(-50, 900)
    ),
)
def test_the_place_of_a_model_does_not_matter(name, turn, shift):
    number, table = FAULTY.get(name, (0, SOUND.get(name)))
    assert numbers(moved(table, turn=turn, shift=shift)) == ([number] if number else [])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*FAULTY, *SOUND]), st.randoms(use_true_random=False))
def test_the_order_of_points_and_faces_does_not_matter(name, random):
    number, table = FAULTY.get(name, (0, SOUND.get(name)))
    before = numbers(table)
    shells = shells_of(table)
    for shell in shells:
        random.shuffle(shell)
        for face in shell:
            for k, ring in enumerate(face):
                at = random.randrange(max(1, len(ring)))
                face[k] = ring[at:] + ring[:at]
    assert numbers(rebuilt(table, shells)) == before == ([number] if number else [])


def shells_of(table):
    """Nested lists of what a table holds."""
    points = [tuple(p) for p in table.vertices[table.ring_vertex].tolist()]
    rings = cut(points, table.ring_offsets)
    faces = cut(rings, table.face_offsets)
    return cut(faces, table.shell_offsets)


def cut(values, borders):
    return [values[a:b] for a, b in pairwise(borders)]


def rebuilt(table, shells):
    from cimkit.tables.boundaries import Primitive

    solids = cut(shells, table.solid_offsets)
    primitives = cut(solids, table.primitive_offsets)
    names = ("object_id", "feature_id", "lod", "geometry", "is_building")
    columns = {name: getattr(table, name) for name in names}
    return boundaries(Primitive(table.kind[0]).name, *primitives, **columns)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5_000), st.floats(0.5, 500))
def test_blocks_of_any_shape_are_sound_and_one_missing_face_is_not(seed, size):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 30))
    angle = np.sort(rng.uniform(0, 2 * np.pi, n))
    radius = rng.uniform(0.3, 1.0, n) * size
    outline = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    if (
        not shapely.Polygon(outline).is_valid
        or shapely.Polygon(outline).exterior.is_ccw is False
    ):
        return
    gaps = np.linalg.norm(outline - np.roll(outline, 1, axis=0), axis=1)
    if gaps.min() < 0.002:
        return
    block = prism([tuple(p) for p in outline.tolist()], 0.0, 5.0)
    assert numbers(solid(block)) == []
    k = int(rng.integers(len(block)))
    assert numbers(solid(block[:k] + block[k + 1 :])) == [301 if len(block) < 5 else 302]


def test_tolerances_can_be_given():
    assert numbers(solid(lifted(0.01)), planarity=0.001) == [203]
    assert numbers(solid(folded(10.0)), normals=5.0) == [204]
    assert 102 in numbers(with_point(0.5), snap=1.0)
    assert numbers(with_point(0.0005), snap=0.0001) == []


def test_a_fault_says_where_it_is_and_what_to_do():
    (fault,) = check_boundaries(solid(lifted(0.05)))
    assert (fault.primitive, fault.solid, fault.shell, fault.face) == (0, 0, 0, 5)
    assert list(fault.place or ()) in [[0, 0, 4], [4, 0, 4], [4, 4, 4.05], [0, 4, 4]]
    issue = issue_of(fault, solid(lifted(0.05)))
    assert issue[:4] == (
        "ERROR",
        "SOLID_203_NON_PLANAR_POLYGON_DISTANCE_PLANE",
        "buildings",
        "b0",
    )
    assert issue.message.startswith("LoD2.2 Solid 0, face 5 at ")
    assert "0.0125 m off" in issue.message
    assert issue.message.endswith("Move the point, or cut the face.")
    (fault,) = check_boundaries(solid(box(), box(1, 1, 1, by=(1, 1, 1))))
    assert "shell 1" in issue_of(fault, solid(box(), box(1, 1, 1, by=(1, 1, 1)))).message
    table = two(box(), box())
    assert "solid 1: it equals solid 0" in issue_of(check_boundaries(table)[0], table).message


def test_one_bad_primitive_does_not_hide_others():
    table = boundaries("Solid", [[box()[:-1]]], [[box()]], [[lifted(0.05)]], [[turned(box())]])
    found = [(fault.primitive, fault.number) for fault in check_boundaries(table)]
    assert found == [(0, 302), (2, 203), (3, 405)]


def test_cities_of_blocks_are_sound():
    from cimkit.tables.boundaries import Boundaries

    assert numbers(Boundaries.from_models(boxes(200, seed=4).models)) == []
