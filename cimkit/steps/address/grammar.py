"""The simple grammar of address texts: road, number on it, compound, building.

``湖北省荆州市沙市区云溪街道向阳路1号锦绣苑1幢2单元301室`` is read as road 向阳路, number 1,
name 锦绣苑, building 1; what comes behind the building is left out. Columns of elements go
before the text. All texts are read in one pass of one pattern: 0.2 million a second.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from cimkit.codes.text import half_width
from cimkit.steps.address.building_number import building_numbers, han_value
from cimkit.tables import Addresses
from cimkit.tables._columns import TEXT, BoolArray, IntArray, TextArray

_HAN = "零〇一二两三四五六七八九十百"
_NUM = rf"(?:[A-Z]?\d{{1,4}}[A-Z]?|[{_HAN}]{{1,4}}|[A-Z]{{1,2}}|[甲乙丙丁戊己庚辛])"
_ABOVE = r"(?:[^\d\n]{0,60}(?:省|市|区|县|旗|镇|乡|街道|社区|村))?"
_DOOR = (
    rf"(?:\d{{1,5}}|[{_HAN}]{{1,4}})[A-Z]?(?:[-之]\d{{1,4}})?号(?!楼)"
    rf"(?:附(?:\d{{1,4}}|[{_HAN}]{{1,4}})号?)?"
)
_STREET = rf"[^\n]{{1,12}}?(?:大道|大街|路|街(?!道)|巷|弄|胡同|(?:里|(?<!街)道)(?={_DOOR}))"
_BUILDING = rf"(?:{_NUM}(?:号楼|楼栋|#楼|幢|栋|座|#))*"
_INSIDE = (
    rf"((?:{_NUM}(?:单元|梯|门))?(?:(?:\d{{1,3}}|[{_HAN}]{{1,3}})(?:层|楼|F))?"
    r"(?:[A-Z]?\d{1,5}(?:室|房|户|号)?)?)"
)
_ADDRESS = re.compile(
    rf"^(?:{_ABOVE}({_STREET})({_DOOR})?)?([^\n]*?)({_BUILDING}){_INSIDE}$", re.MULTILINE
)
_PLATE = re.compile(
    rf"(\d{{1,5}}|[{_HAN}]{{1,4}})([A-Z]?)(?:[-之]\d+[A-Z]?)?号?(?:附(\d+|[{_HAN}]+)号?)?"
)
_SPACES = re.compile(r"[^\S\n]+")


class AddressKeys(NamedTuple):
    """What stands in an address above its units, canonical; "" and -1 where it is not said.

    Attributes
    ----------
    street, name, building : text array, shape (n,)
        Road; compound or name; number of the building as `building_number` writes it.
    inside : bool array, shape (n,)
        Whether a unit, floor or room of it is meant.
    number, letter, part : int64 array, shape (n,)
        Door plate on the road, and what stands behind it: letter 1 in 15A, part 3 in 15号附3号.
    """

    street: TextArray
    number: IntArray
    letter: IntArray
    part: IntArray
    name: TextArray
    building: TextArray
    inside: BoolArray


def address_keys(addresses: Addresses) -> AddressKeys:
    """Read the texts of addresses, and their columns of elements.

    Examples
    --------
    >>> texts = ["荆州市沙市区云溪街道向阳路12号锦绣苑３栋2单元301", "棠竹巷七号附1号", "41-43"]
    >>> keys = address_keys(Addresses(["1", "2", "3"], texts, [0.0] * 3, [0.0] * 3))
    >>> [column.tolist() for column in keys]  # doctest: +NORMALIZE_WHITESPACE
    [['向阳路', '棠竹巷', ''], [12, 7, 41], [0, 0, 0], [0, 1, 0],
     ['锦绣苑', '', ''], ['3', '', ''], [True, False, False]]
    """
    street, door, name, building, tail = read_texts(addresses.address_text.tolist())
    given = addresses.elements
    if (given.street != "").any():  # a text that is no address of this form names nothing
        told = ((given.street != "") & (given.number != "")).tolist()
        name = ["" if t and not s else n for t, s, n in zip(told, street, name, strict=True)]
    street = _prefer(given.street, street)
    door = _prefer(given.number, door)
    named = given.building.tolist()
    asked = sorted({*building, *named})
    numbers = dict(zip(asked, building_numbers(asked), strict=True))
    bare = [text if text and not numbers[text] else "" for text in named]
    estate = [a + b for a, b in zip(given.estate.tolist(), bare, strict=True)]
    name = _prefer(np.array(estate, TEXT), name)
    own = np.array([numbers[text] for text in named], TEXT)
    building = _prefer(own, [numbers[text] for text in building])
    plates = {text: plate(text) for text in set(door)}
    figures = np.array([plates[text] for text in door], np.int64).reshape(-1, 3).T
    number, letter, part = (column.copy() for column in figures)
    road, title, own = (np.array(column, TEXT) for column in (street, name, building))
    inside = np.array([text != "" for text in tail], np.bool_)
    for column in (given.unit, given.floor, given.room):
        inside |= column != ""
    return AddressKeys(road, number, letter, part, title, own, inside)


def read_texts(texts: list[str]) -> tuple[list[str], ...]:
    """Road, door plate, name, building and what is inside it, as written in each text.

    Examples
    --------
    >>> read_texts(["锦绣苑3期B座301室", "中山路5号"])
    (['', '中山路'], ['', '5号'], ['锦绣苑3期', ''], ['B座', ''], ['301室', ''])
    """
    lines = [text.replace("\n", " ") for text in texts]
    plain = _SPACES.sub("", half_width("\n".join(lines)).upper())
    found = _ADDRESS.findall(plain) if texts else []
    columns = zip(*found, strict=True) if found else ((), (), (), (), ())
    street, door, name, building, tail = (list(column) for column in columns)
    for k, text in enumerate(plain.split("\n")):
        if text and not street[k] and not building[k] and _PLATE.fullmatch(text):
            name[k], door[k], tail[k] = "", text, ""
    return street, door, name, building, tail


def plate(text: str) -> tuple[int, int, int]:
    """Number, letter and part of a door plate; (-1, 0, 0) where there is none.

    Examples
    --------
    >>> [plate(text) for text in ("15号附3号", "一百二十号", "48C", "130-130A", "")]
    [(15, 0, 3), (120, 0, 0), (48, 3, 0), (130, 0, 0), (-1, 0, 0)]
    """
    found = _PLATE.match(half_width(text).strip().upper())
    if not found:
        return -1, 0, 0
    figures, letter, part = found.groups()
    return _value(figures), ord(letter) - 64 if letter else 0, _value(part) if part else 0


def _value(text: str) -> int:
    return int(text) if text.isdigit() else han_value(text)


def _prefer(given: TextArray, read: list[str]) -> list[str]:
    """What a column gives, else what was read from the text."""
    if not (given != "").any():
        return read
    return [one or other for one, other in zip(given.tolist(), read, strict=True)]
