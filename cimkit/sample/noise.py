"""Errors of address tables: points beside the place, wrong township, no place, spellings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cimkit.errors import ParameterError
from cimkit.sample.addresses import Address
from cimkit.sample.divisions import township
from cimkit.sample.names import CITY, PROVINCE
from cimkit.sample.streams import stream

WITHOUT_COORDINATES = 0.04
"""Share of the addresses whose coordinates nobody entered, where nothing else is asked for."""

_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_FIGURES = "零一二三四五六七八九"


class AddressNoise(NamedTuple):
    """How wrong an address table is."""

    jitter: float = 0.0
    """Standard deviation of each coordinate, metres."""
    wrong_township: float = 0.0
    """Share of the rows that name another township."""
    without_coordinates: float = WITHOUT_COORDINATES
    """Share of the rows without coordinates."""
    typing_variants: float = 0.0
    """Share of the rows that are typed in another way."""

    def check(self) -> None:
        """Raise `cimkit.errors.ParameterError` if a share is none, or the jitter is absurd."""
        for name, share in zip(self._fields[1:], self[1:], strict=True):
            if not 0.0 <= share <= 1.0:
                raise ParameterError(f"make_sample: {name} is a share in [0, 1], not {share}")
        if not 0.0 <= self.jitter <= 1000.0:
            raise ParameterError("make_sample: jitter must lie in [0, 1000] metres")


class Written(NamedTuple):
    """An address as it stands in the table: text and place may be wrong."""

    address: Address
    text: str


def as_written(
    addresses: Sequence[Address], noise: AddressNoise, seed: int, number: int
) -> list[Written]:
    """Put the errors into a list of addresses; each kind of error has its own random numbers.

    Parameters
    ----------
    addresses : sequence of Address
    noise : AddressNoise
    seed, number : int
        `number` is that of the list; the same list always gets the same errors.

    Returns
    -------
    list of Written
        In the same order.
    """
    n = len(addresses)
    lost = stream(seed, "lost", number).random(n) < noise.without_coordinates
    moved = stream(seed, "jitter", number).normal(0.0, 1.0, (n, 2)) * noise.jitter
    elsewhere = stream(seed, "township", number)
    wrong, step = elsewhere.random(n) < noise.wrong_township, elsewhere.integers(1, 6, n)
    typist = stream(seed, "typing", number)
    typed, kind = typist.random(n) < noise.typing_variants, typist.integers(0, len(_TYPISTS), n)
    found = []
    for k, address in enumerate(addresses):
        x = y = np.nan
        if not lost[k]:
            x, y = round(address.x + moved[k, 0], 3), round(address.y + moved[k, 1], 3)
        address = address._replace(x=float(x), y=float(y))
        if wrong[k]:
            address = _in_township(address, int(step[k]))
        text = address.text
        found.append(Written(address, _TYPISTS[kind[k]](text) if typed[k] else text))
    return found


def _in_township(address: Address, step: int) -> Address:
    """Name another township of the same county, and no community of it."""
    here = address.community
    number = (int(here.code[6:9]) + step) % 49
    code, name = township(here.county_code, number)
    if code == here.township_code:
        code, name = township(here.county_code, (number + 1) % 49)
    wrong = here._replace(township_code=code, township=name, code="")
    return address._replace(community=wrong)


def chinese_number(number: int) -> str:
    """Write a number below 100 in Chinese.

    Examples
    --------
    >>> [chinese_number(n) for n in (2, 10, 12, 20, 35)]
    ['二', '十', '十二', '二十', '三十五']
    """
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else ("十" if tens == 1 else f"{_FIGURES[tens]}十")
    return head + (_FIGURES[ones] if ones or not tens else "")


def _wide(text: str) -> str:
    return text.translate(_WIDE)


def _other_building_word(text: str) -> str:
    """幢, 栋 and 号楼 are one and the same to those who type."""
    if "号楼" in text:
        return text.replace("号楼", "栋")
    return text.replace("幢", "号楼" if len(text) % 2 else "栋").replace("座", "栋")


def _chinese_door(text: str) -> str:
    """Write the number of the unit, else of the building, in Chinese."""
    for word in ("单元", "幢", "号楼", "层", "号"):
        head, found, tail = text.rpartition(word)
        digits = head[len(head.rstrip("0123456789")) :]
        if found and digits and int(digits) < 100:
            return head[: -len(digits)] + chinese_number(int(digits)) + word + tail
    return text


def _spaced(text: str) -> str:
    return text.replace("号", "号 ", 1).replace("单元", " 单元 ").rstrip()


def _doubled(text: str) -> str:
    return PROVINCE + CITY + text


def _shortened(text: str) -> str:
    return text.removeprefix(PROVINCE + CITY).replace("室", "").replace("层", "楼")


_TYPISTS = (_wide, _other_building_word, _chinese_door, _spaced, _doubled, _shortened)
