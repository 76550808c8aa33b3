"""What happened to codes: the rows of a register's history."""

from __future__ import annotations

from typing import NamedTuple

OF_ROWS = ("reserved", "activated", "revived", "redrawn", "renamed", "retired")
"""Changes of the row of a code; the others tell what it came from, or what was said of it."""


class Origin(NamedTuple):
    """Why a register changes.

    Attributes
    ----------
    cause : str
        Such as ``build``.
    data_set : str
        Name and sum of the file that the change comes from.
    as_of : str
        Date that the user gave; "" for none. No clock is ever read.
    """

    cause: str = "build"
    data_set: str = ""
    as_of: str = ""


class Change(NamedTuple):
    """A change of one code (编码变更).

    Attributes
    ----------
    number : int
        Counts the changes of a register, from 1.
    code : str
    change : str
        ``reserved``, ``activated``, ``revived``, ``redrawn``, ``renamed``, ``retired``,
        ``split``, ``merged``, ``replaced``, ``reviewed``.
    before, after : str
        What changed, as JSON objects; outlines as hexadecimal WKB in the CRS of the register.
    cause, data_set, as_of : str
        As in `Origin`.
    """

    number: int
    code: str
    change: str
    before: str
    after: str
    cause: str
    data_set: str
    as_of: str


class HistoryMark(NamedTuple):
    """A place in the history of a register.

    Attributes
    ----------
    number : int
        Of a change; 0 for none.
    sha256 : str
        Of the whole change, so that the history of another register is not taken for this one.
    """

    number: int
    sha256: str
