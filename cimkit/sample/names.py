"""Names of places. Province, city and counties are real; all below them is invented."""

from __future__ import annotations

from collections.abc import Sequence

from cimkit.sample.layout import CYCLE, QUARTER, Block

PROVINCE, CITY = "湖北省", "荆州市"
CITY_CODE = "421000"
COUNTIES = {"421002": "沙市区", "421003": "荆州区"}
"""Codes of GB/T 2260."""

STREETS = ("向阳路", "望江路", "长堤路", "柳林路", "荷塘路", "橘香路")

_COMPOUNDS = ("锦绣苑", "杏花苑", "听涛苑", "云栖苑", "望江苑", "橘香苑")
_FIRST = "云澜霁芷蘅汀沐棠岚渚菱苇荻鹭鸥蓼"
_SECOND = "溪影禾舟杉屿荫桥坞蒲陌汐圃弦塬篱"
_LANES = "絮井篮线磨坊网杏竹灯伞梭瓦砚茶枣"


def street_name(row: int) -> str:
    """Street along the southern edge of a row of blocks.

    Examples
    --------
    >>> street_name(0), street_name(7)
    ('向阳路', '望江2路')
    """
    return _numbered(STREETS, row)


def lane_name(block: Block, lane: int) -> str:
    """One of the four lanes of a block of self-built houses; no two in the city are alike.

    Examples
    --------
    >>> lane_name(Block(2, 2, 0, "self-built", 11, 32), 0)
    '渚絮巷'
    """
    return _pair(4 * block.number + lane, _LANES) + "巷"


def compound_name(block: Block) -> str:
    """Name of a housing compound (小区), the same for one block always."""
    again = block.number // len(_COMPOUNDS)
    return _COMPOUNDS[block.number % len(_COMPOUNDS)] + (f"{again + 1}期" if again else "")


def centre_name(block: Block) -> str:
    """Name of a commercial centre."""
    return f"{_pair(block.number // len(CYCLE))}广场"


def school_name(block: Block) -> str:
    """Name of a school."""
    return f"{_pair(5 * (block.number // len(CYCLE)) + 1)}小学"


def works_name(block: Block) -> str:
    """Name of a factory."""
    return f"{_pair(7 * (block.number // len(CYCLE)) + 3)}机械厂"


def township_name(number: int, kind: str) -> str:
    """Name of a township (街道, 镇, 乡) of a county, number from 0.

    Examples
    --------
    >>> township_name(0, "街道"), township_name(1, "街道")
    ('云溪街道', '澜禾街道')
    """
    return _pair(number) + kind


def community_name(number: int) -> str:
    """Name of a community (社区) of a township, number from 0."""
    return f"{_pair(11 * number + 5)}社区"


def _pair(number: int, second: str = _SECOND) -> str:
    """Two characters, and a figure from the 257th name on."""
    step = len(_FIRST)
    name = _FIRST[number % step] + second[(number + number // step) % step]
    again = number // step**2
    return f"{name}{again + 1}" if again else name


def _numbered(names: Sequence[str], number: int) -> str:
    """Name for a number; once the list is used up, a figure goes before the last character."""
    name, again = names[number % len(names)], number // len(names)
    return f"{name[:-1]}{again + 1}{name[-1]}" if again else name


def estate_name(block: Block) -> str:
    """Name of what takes up a whole block (小区, 院落); "" where there is no such thing."""
    named = {
        "slabs": compound_name,
        "towers": compound_name,
        "school": school_name,
        "centre": centre_name,
        "works": works_name,
    }
    return named[block.kind](block) if block.kind in named else ""


def park_name(block: Block) -> str:
    """Name of the park that takes up a block."""
    return f"{_pair(3 * (block.number // len(CYCLE)))}公园"


def organisation_name(number: int, trade: str) -> str:
    """Name of a company in some trade.

    Examples
    --------
    >>> organisation_name(3, "商贸")
    '荆州市芷舟商贸有限公司'
    """
    return f"{CITY}{_pair(13 * number + 2)}{trade}有限公司"


def house_number(block: Block) -> int:
    """First number along the street of a block; a block has six."""
    return 1 + 2 * QUARTER * block.column
