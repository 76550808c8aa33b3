"""Building codes in the shape of CJ/T 553-2024 (统一识别代码): 21 digits.

::

    421002 990100 001 000123
    county class  township serial
    GB/T 2260     digits 7 to 9 of the division code; then a number that is ours

The standard gives 6 + 6 + 9 digits and leaves the last nine to the user. Its class number for
buildings has not been verified: the placeholder 990100 lies in the range 99 that the standard
reserves for extensions, and marks a code as local. On door plates two check digits may follow
after a hyphen; they are no part of the code.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cimkit.codes.modulus import mod_97_10
from cimkit.errors import ParameterError

SERIAL_MAX = 999_999

_FULL_WIDTH = str.maketrans("０１２３４５６７８９－", "0123456789-")


class BuildingCode(NamedTuple):
    """The segments of a code.

    Attributes
    ----------
    county : str
        6 digits of GB/T 2260; 000000 where unknown.
    class_code : str
        6 digits: large, medium and small class.
    township : str
        3 digits; 000 where unknown.
    serial : int
        1 to 999,999, unique within the other three.
    """

    county: str
    class_code: str
    township: str
    serial: int


def mint(county: str, class_code: str, township: str, serial: int) -> str:
    """Code of a building (编码) from its segments.

    Parameters
    ----------
    county, class_code, township : str
        6, 6 and 3 digits.
    serial : int
        1 to 999,999.

    Returns
    -------
    str
        21 digits.

    Raises
    ------
    ParameterError
        If a segment is of another length or no digits, or the serial outside its range.

    Examples
    --------
    >>> mint("421002", "990100", "001", 123)
    '421002990100001000123'
    """
    segments = (("county", county, 6), ("class_code", class_code, 6), ("township", township, 3))
    for name, text, length in segments:
        if not re.fullmatch(rf"[0-9]{{{length}}}", text):
            raise ParameterError(f"{name}: {length} digits, not {text!r}")
    if not 1 <= serial <= SERIAL_MAX:
        raise ParameterError(f"serial: 1 to {SERIAL_MAX:,}, not {serial:,}")
    return f"{county}{class_code}{township}{serial:06d}"


def parse(code: str) -> BuildingCode:
    """Segments of a code, with or without the check digits of a plate.

    Parameters
    ----------
    code : str
        Full-width digits are read as digits; blanks around the code are ignored.

    Raises
    ------
    ParameterError
        With all the reasons that `validate` gives.

    Examples
    --------
    >>> parse("421002990100001000123-65")
    BuildingCode(county='421002', class_code='990100', township='001', serial=123)
    """
    if faults := validate(code):
        raise ParameterError(f"code {code!r}: {'; '.join(faults)}")
    text = _normalise(code)
    return BuildingCode(text[:6], text[6:12], text[12:15], int(text[15:21]))


def validate(code: object) -> list[str]:
    """What is wrong with a code; nothing if it is valid.

    Examples
    --------
    >>> validate("421002990100001000123")
    []
    >>> validate("42100299O10000100012")
    ["position 9 is 'O', not a digit", '21 digits expected, not 20']
    >>> validate("421002990100001000123-56")
    ['check digits are 56, not 65']
    """
    if not isinstance(code, str):
        return [f"text expected, not {type(code).__name__}: a number loses digits and zeros"]
    body, hyphen, check = _normalise(code).partition("-")
    faults = [
        f"position {place} is {symbol!r}, not a digit"
        for place, symbol in enumerate(body[:21], start=1)
        if symbol not in "0123456789"
    ]
    if len(body) != 21:
        faults.append(f"21 digits expected, not {len(body)}")
    if not faults and int(body[15:]) == 0:
        faults.append("serial 000000 is never given out")
    if not faults and hyphen and check != mod_97_10(body):
        faults.append(f"check digits are {check}, not {mod_97_10(body)}")
    return faults


def with_check(code: str) -> str:
    """The code as it stands on a plate (门楼牌), with two check digits (MOD 97-10).

    Examples
    --------
    >>> with_check("421002990100001000123")
    '421002990100001000123-65'
    """
    body = mint(*parse(code))
    return f"{body}-{mod_97_10(body)}"


def _normalise(code: str) -> str:
    """Full-width digits and hyphen made plain, blanks around the code left out."""
    return code.strip().translate(_FULL_WIDTH)
