"""Number of a building (幢号) in an address or on the label of a footprint.

Only what decides between neighbouring buildings of one compound: ``锦绣苑3幢``, ``3号楼``,
``三栋``, ``B座``, ``3号楼B座``. Streets, units, floors and rooms are not looked at.
"""

from __future__ import annotations

import re

from cimkit.codes.text import half_width

_HAN = "零〇一二两三四五六七八九十百"
_NUMBER = rf"[A-Z]?\d{{1,4}}[A-Z]?|[{_HAN}]{{1,6}}|[A-Z]{{1,2}}|[甲乙丙丁戊己庚辛]"
_BUILDING = re.compile(rf"(?<![A-Z\d{_HAN}])({_NUMBER})\s*(?:号楼|楼栋|#楼|幢|栋|座|#)")
_LINE = re.compile(rf"^(?:([^\n]*?){_BUILDING.pattern}([^\n]*)|[^\n]*)$", re.MULTILINE)
_LONE = re.compile(rf"({_NUMBER})号?")
_RANGE = re.compile(rf"[A-Z\d{_HAN}](?:号楼|幢|栋|座|#)?\s*[-~—至到]\s*$")
_BEFORE = tuple("-~—至到 \t")
"""What a number that ends a range may stand behind; anything else is quickly seen."""

_HAN_VALUES = {"零": 0, "〇": 0, "两": 2} | {
    numeral: value for value, numeral in enumerate("一二三四五六七八九", start=1)
}
_HAN_UNITS = {"十": 10, "百": 100}


def building_number(text: str) -> str:
    """Number of the building that an address names.

    Parameters
    ----------
    text : str
        Any address or name.

    Returns
    -------
    str
        Figures and capitals; several, as of a tower on a podium, joined by ``-`` in their
        order. "" where there is none, or a range (``1-10幢``), which names no single one.

    Examples
    --------
    >>> [building_number(text) for text in ("向阳路12号锦绣苑０３幢2单元301室", "三号楼B座")]
    ['3', '3-B']
    >>> [building_number(text) for text in ("中山路5号", "锦绣苑1-10幢")]
    ['', '']
    """
    return building_numbers([text])[0]


def building_numbers(texts: list[str]) -> list[str]:
    """`building_number` of many texts, by one pattern that goes over all of them at once."""
    lines = half_width("\n".join(text.replace("\n", " ") for text in texts)).upper()
    plain: dict[str, str] = {}
    found = []
    for before, number, behind in _LINE.findall(lines) if texts else ():
        if not number:
            found.append("")
        elif _BUILDING.search(behind) or before[-1:] in _BEFORE:
            found.append(_several(f"{before}{number}幢{behind}"))
        else:
            found.append(plain.get(number) or plain.setdefault(number, _plain_number(number)))
    return found


def _several(text: str) -> str:
    """Number of a building in a text with several, or with a range."""
    found = []
    for match in _BUILDING.finditer(text):
        if _RANGE.search(text[: match.start()]):
            return ""
        found.append(_plain_number(match[1]))
    return "-".join(dict.fromkeys(found))


def label_number(label: str) -> str:
    """Number of the building on a label, which may be the bare number.

    Examples
    --------
    >>> [label_number(label) for label in ("锦绣苑3幢", "3", "B", "十二号", "锦绣苑")]
    ['3', '3', 'B', '12', '']
    """
    return label_numbers([label])[0]


def label_numbers(labels: list[str]) -> list[str]:
    """`label_number` of many labels."""
    return [
        _plain_number(lone[1]) if lone else number
        for number, lone in zip(
            building_numbers(labels),
            (_LONE.fullmatch(half_width(label).strip().upper()) for label in labels),
            strict=True,
        )
    ]


def compare_numbers(one: str, other: str) -> int:
    """1 if two numbers agree, -1 if they contradict each other, 0 where one is missing.

    A number with fewer parts agrees with one that holds them all: ``3`` with ``3-B``.

    Examples
    --------
    >>> compare_numbers("3", "3-B"), compare_numbers("3", "4"), compare_numbers("", "4")
    (1, -1, 0)
    """
    if not one or not other:
        return 0
    parts, others = set(one.split("-")), set(other.split("-"))
    return 1 if parts <= others or others <= parts else -1


def _plain_number(text: str) -> str:
    """Figures for Chinese numerals, no leading zeros."""
    if text[0] in _HAN:
        return str(han_value(text))
    figures = re.fullmatch(r"([A-Z]?)0*(\d+)([A-Z]?)", text)
    return "".join(figures.groups()) if figures else text


def han_value(text: str) -> int:
    """Value of a Chinese numeral below 1000, also of one written digit by digit (一二)."""
    if not any(unit in text for unit in _HAN_UNITS):
        return int("".join(str(_HAN_VALUES[numeral]) for numeral in text))
    total, digit = 0, -1
    for numeral in text:
        if numeral in _HAN_UNITS:
            total += _HAN_UNITS[numeral] * (1 if digit < 0 else digit)
            digit = -1
        else:
            digit = _HAN_VALUES[numeral]
    return total + max(digit, 0)
