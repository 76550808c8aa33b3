"""The rules of ISO 19107 under val3dity's numbers, and findings in words."""

from __future__ import annotations

from typing import NamedTuple

from cimkit.tables import Issue
from cimkit.tables.boundaries import Boundaries, Primitive

RULES = {
    101: ("SOLID_101_TOO_FEW_POINTS", "Give each ring three points or more."),
    102: ("SOLID_102_CONSECUTIVE_POINTS_SAME", "Keep one of points less than 1 mm apart."),
    104: ("SOLID_104_RING_SELF_INTERSECTION", "Cut the ring where it meets itself."),
    201: ("SOLID_201_INTERSECTION_RINGS", "Let the rings of a face not cross."),
    202: ("SOLID_202_DUPLICATED_RINGS", "Keep one of the equal rings."),
    203: ("SOLID_203_NON_PLANAR_POLYGON_DISTANCE_PLANE", "Move the point, or cut the face."),
    204: ("SOLID_204_NON_PLANAR_POLYGON_NORMALS_DEVIATION", "Leave out points that fold it."),
    205: ("SOLID_205_POLYGON_INTERIOR_DISCONNECTED", "Make a face of each part."),
    206: ("SOLID_206_INNER_RING_OUTSIDE", "Leave the hole out, or make a face of it."),
    207: ("SOLID_207_INNER_RINGS_NESTED", "Leave the inner hole out, or make a face of it."),
    208: ("SOLID_208_ORIENTATION_RINGS_SAME", "Turn the hole round."),
    301: ("SOLID_301_TOO_FEW_POLYGONS", "A shell has four faces or more."),
    302: (
        "SOLID_302_SHELL_NOT_CLOSED",
        "Add the missing face, or the missing point of an edge.",
    ),
    303: ("SOLID_303_NON_MANIFOLD_CASE", "Part the shell at this edge or point."),
    305: ("SOLID_305_MULTIPLE_CONNECTED_COMPONENTS", "Make a solid of each part."),
    306: ("SOLID_306_SHELL_SELF_INTERSECTION", "Cut the faces where they meet."),
    307: ("SOLID_307_POLYGON_WRONG_ORIENTATION", "Turn the face round."),
    401: ("SOLID_401_INTERSECTION_SHELLS", "Let the shells share points and edges at most."),
    402: ("SOLID_402_DUPLICATED_SHELLS", "Keep one of the equal shells."),
    403: ("SOLID_403_INNER_SHELL_OUTSIDE", "Leave the shell out, or make a solid of it."),
    404: ("SOLID_404_SOLID_INTERIOR_DISCONNECTED", "Make a solid of each part."),
    405: ("SOLID_405_WRONG_ORIENTATION_SHELL", "Turn all its faces round."),
    501: ("SOLID_501_INTERSECTION_SOLIDS", "Let the solids share faces at most."),
    502: ("SOLID_502_DUPLICATED_SOLIDS", "Keep one of the equal solids."),
    503: ("SOLID_503_DISCONNECTED_SOLIDS", "Use a MultiSolid, or let the solids share faces."),
    601: ("SOLID_601_BUILDINGPARTS_OVERLAP", "Let the parts share faces at most."),
    901: ("SOLID_901_INVALID_INPUT_FILE", "Write the geometry again."),
    902: ("SOLID_902_EMPTY_PRIMITIVE", "Leave the geometry out, or fill it."),
    905: ("SOLID_905_INVALID_JSON", "Write the line again."),
    906: ("SOLID_906_PRIMITIVE_NO_GEOMETRY", "Give it a surface or a solid, or leave it out."),
    999: ("SOLID_999_UNKNOWN_ERROR", "Please report it, with the file."),
}
"""Issue code and advice of each number: the names are val3dity's, 103 exists only in GML."""


class Fault(NamedTuple):
    """One broken rule.

    Attributes
    ----------
    primitive : int
        Row of `Boundaries`.
    number : int
        Key of `RULES`.
    solid, shell : int
        Counted in the primitive and in the solid; -1 where the fault is of more than one.
    face : int
        Counted in the shell, -1 for none.
    place : tuple of float or None
        Where to look, in metres, without origin.
    what : str
        What is wrong, with figures.
    """

    primitive: int
    number: int
    solid: int
    shell: int
    face: int
    place: tuple[float, float, float] | None
    what: str


def issue_of(fault: Fault, boundaries: Boundaries) -> Issue:
    """The finding as a row of a report."""
    row = fault.primitive
    kind = Primitive(boundaries.kind[row]).name
    lod = str(boundaries.lod[row])
    parts = [f"LoD{lod} {kind} {boundaries.geometry[row]}" if lod else kind]
    for name, number in (
        ("solid", fault.solid),
        ("shell", fault.shell),
        ("face", fault.face),
    ):
        # Where there is only one, its number says nothing.
        if number >= 0 and not (name != "face" and _only(boundaries, row, name)):
            parts.append(f"{name} {number}")
    place = ", ".join(parts)
    if fault.place is not None:
        xyz = (a + b for a, b in zip(fault.place, boundaries.origin, strict=True))
        place += " at " + " ".join(f"{value:.3f}" for value in xyz)
    code, advice = RULES[fault.number]
    message = f"{place}: {fault.what}. {advice}"
    return Issue("ERROR", code, "buildings", str(boundaries.object_id[row]), message)


def _only(boundaries: Boundaries, row: int, name: str) -> bool:
    """Whether a primitive has one solid, or solids of one shell."""
    first, last = boundaries.primitive_offsets[row : row + 2]
    if name == "solid":
        return bool(last - first == 1)
    return bool(
        boundaries.solid_offsets[last] - boundaries.solid_offsets[first] == last - first
    )
