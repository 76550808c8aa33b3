"""What a report says besides the tables: inputs, counts that must add up, parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Balance:
    """One kind of thing that went in, and everything that became of it.

    Parameters
    ----------
    name : str
        What is counted, such as ``footprints``.
    in_count : int
        How many went in.
    parts : mapping of str to int
        What became of them, by reason. One below zero shows that something counted twice.

    Examples
    --------
    >>> Balance("footprints", 10, {"accepted": 9, "set aside": 1}).adds_up
    True
    >>> Balance("points", 10, {"used": 12, "left over": -2}).adds_up
    False
    """

    name: str
    in_count: int
    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Sum of the parts."""
        return sum(self.parts.values())

    @property
    def adds_up(self) -> bool:
        """Whether nothing was lost and nothing came from nowhere."""
        return self.total == self.in_count and min(self.parts.values(), default=0) >= 0


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file that was read.

    Parameters
    ----------
    name : str
        File name without its folder.
    kind : str
        ``footprints``, ``points``, ``addresses``, ``geoid``, ``terrain``.
    size_bytes : int
    sha256 : str
        Fingerprint of the bytes, 64 hexadecimal digits.
    counts : mapping of str to int
        What the file holds: features, points of each class, addresses.
    """

    name: str
    kind: str
    size_bytes: int
    sha256: str
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What `cimkit.write.report.report_html` says besides the tables.

    Parameters
    ----------
    title : str
        Name of the city.
    inputs : sequence of InputFile
    balances : sequence of Balance
    outputs : mapping of str to mapping of str to int
        Counts that are in no table, such as those of the tiles.
    parameters, versions : mapping of str to object
        Fields of the job; versions of cimkit and of what it stands on.
    """

    title: str
    inputs: tuple[InputFile, ...] = ()
    balances: tuple[Balance, ...] = ()
    outputs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, object] = field(default_factory=dict)
