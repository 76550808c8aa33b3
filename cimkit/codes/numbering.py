"""New codes of buildings, counted: a code is a number between texts that the division gives.

Any layout will do in which each segment says where it comes from::

    [[segments]]
    name = "county"
    length = 6
    division = [1, 6]  # digits of the code of the division; zeros where it is not known

    [[segments]]
    name = "kind"
    length = 1
    value = "J"

    [[segments]]
    name = "number"
    length = 5
    serial = true  # counts, by itself for each text around it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from cimkit.codes.layout import DIVISION_DIGITS, Layout, Segment, check, layout_of
from cimkit.codes.text import as_texts
from cimkit.errors import LimitError, ParameterError
from cimkit.tables._columns import TextArray

LOCAL_CLASS = "990100"
"""Of building codes: in the range that the standard reserves for extensions."""


class Frame(NamedTuple):
    """What stands before and after the number of a code, without check characters."""

    before: str
    after: str


class Numbering(NamedTuple):
    """How the buildings of a city are counted.

    Attributes
    ----------
    layout : Layout
        Its optional segments are not used.
    serial : Segment
        The number.
    """

    layout: Layout
    serial: Segment

    @property
    def uses_division(self) -> bool:
        """Whether codes tell the division of their building."""
        return any(segment.division for segment in self.layout.segments)

    def frames(self, divisions: Iterable[str]) -> list[Frame]:
        """What stands around the number in codes of some divisions."""
        segments = [s for s in self.layout.segments if s.stop <= self.layout.short]
        at = segments.index(self.serial)
        made = dict[str, Frame]()
        found = []
        for division in divisions:
            if division not in made:
                if not re.fullmatch("([0-9]{6}|[0-9]{9}|[0-9]{12})?", division):
                    raise ParameterError(f"division: 6, 9 or 12 digits, not {division!r}")
                texts = [_given(segment, division) for segment in segments]
                made[division] = Frame("".join(texts[:at]), "".join(texts[at + 1 :]))
            found.append(made[division])
        return found


def numbering_of(layout: Layout) -> Numbering:
    """A layout as a way to count buildings.

    Raises
    ------
    ParameterError
        If codes of this layout are given out elsewhere, a segment does not say where it comes
        from, or none counts.

    Examples
    --------
    >>> text = '''segments = [
    ...     {name = "town", length = 3, division = [7, 9]},
    ...     {name = "number", length = 4, serial = true}]'''
    >>> ours = numbering_of(layout_of("ours", text))
    >>> next_codes(ours, ["0010041"], ["421002001", "421002002"]).tolist()
    ['0010042', '0020001']
    """
    if layout.minted_by:
        raise ParameterError(f"{layout.name} is given out by {layout.minted_by}, not here")
    used = [s for s in layout.segments if s.stop <= layout.short]
    counted = [s for s in used if s.is_serial]
    silent = [s.name for s in used if not (s.is_serial or s.value or s.division)]
    if silent:
        raise ParameterError(
            f"{layout.name}: segment {silent[0]} does not say where it comes from: give it "
            'division = [first, last], value = "..." or serial = true'
        )
    if len(counted) != 1:
        raise ParameterError(f"{layout.name}: one segment counts (serial), not {len(counted)}")
    return Numbering(layout, counted[0])


def building_numbering(class_code: str = LOCAL_CLASS) -> Numbering:
    """The way of `cimkit.codes.uic21`: county, class, township, then six digits.

    Raises
    ------
    ParameterError
        If the class is not of six digits.
    """
    return numbering_of(
        layout_of(
            "uic21",
            f"""segments = [
                {{name = "county", length = 6, division = [1, 6]}},
                {{name = "class_code", length = 6, value = "{class_code}"}},
                {{name = "township", length = 3, division = [7, 9]}},
                {{name = "serial", length = 6, serial = true}}]""",
        )
    )


def next_codes(
    numbering: Numbering, known: Iterable[str], divisions: Sequence[str]
) -> TextArray:
    """Codes of new buildings, in their order: numbers go on above all that were ever used.

    Parameters
    ----------
    numbering : Numbering
    known : iterable of str
        All codes that were ever given out, also those of other schemes.
    divisions : sequence of str, length n
        Code of the division of each new building.

    Returns
    -------
    text array, shape (n,)

    Raises
    ------
    LimitError
        If the digits of the number are used up.
    """
    serial, frames = numbering.serial, numbering.frames(divisions)
    last = _last_numbers(numbering, known, set(frames))
    bodies = []
    for frame in frames:
        last[frame] += 1
        number = f"{last[frame]:0{serial.length}d}"
        if len(number) > serial.length:
            raise LimitError(
                f"the {serial.length} digits of {serial.name} behind {frame.before!r} are used "
                "up. Name another division, or another class_code or code_scheme."
            )
        bodies.append(f"{frame.before}{number}{frame.after}")
    codes = as_texts(bodies)
    return np.strings.add(codes, check(numbering.layout, codes))


def _last_numbers(
    numbering: Numbering, known: Iterable[str], frames: set[Frame]
) -> dict[Frame, int]:
    """Largest number ever used in each frame; one less than the least for none."""
    layout, serial = numbering.layout, numbering.serial
    last = dict.fromkeys(sorted(frames), max(serial.least, 1) - 1)
    for code in known:
        body = code[: len(code) - layout.n_checks]
        frame = Frame(body[: serial.start], body[serial.stop :])
        number = body[serial.start : serial.stop]
        if frame in last and len(number) == serial.length and number.isdecimal():
            last[frame] = max(last[frame], int(number))
    return last


def _given(segment: Segment, division: str) -> str:
    """The text of a segment in codes of a division."""
    first, last = segment.division or (1, 0)
    return segment.value or division.ljust(DIVISION_DIGITS, "0")[first - 1 : last]
