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
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cimkit.codes.modulus import is_valid, mod_97_10
from cimkit.codes.text import as_texts, beyond_ascii, eaten_by_spreadsheet, half_width
from cimkit.errors import ParameterError
from cimkit.tables._columns import TEXT, BoolArray, TextArray

SERIAL_MAX = 999_999
LENGTH = 21
_WITH_CHECK = 24


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


def mint_all(
    county: str | Iterable[str],
    class_code: str | Iterable[str],
    township: str | Iterable[str],
    serial: ArrayLike,
) -> TextArray:
    """Codes of many buildings at once, the same as `mint` for each.

    Parameters
    ----------
    county, class_code, township : str, or sequence of str of length n
    serial : int array, shape (n,)

    Returns
    -------
    text array, shape (n,)

    Raises
    ------
    ParameterError
        As `mint`, for the first row that is wrong.

    Examples
    --------
    >>> mint_all("421002", "990100", ["001", "002"], [123, 1]).tolist()
    ['421002990100001000123', '421002990100002000001']
    """
    numbers = np.atleast_1d(np.asarray(serial, dtype=np.int64))
    n = len(numbers)
    symbols = np.empty((n, LENGTH), dtype=np.uint8)
    parts = (("county", county, 0, 6), ("class_code", class_code, 6, 12))
    for name, text, start, stop in (*parts, ("township", township, 12, 15)):
        texts = as_texts(text)
        if len(texts) not in (1, n):
            raise ParameterError(f"{name}: {len(texts)} rows for {n} serials")
        wrong = beyond_ascii(texts) | (np.strings.str_len(texts) != stop - start)
        plain = np.where(wrong, np.array("", TEXT), texts).astype(f"S{stop - start}")
        digits = plain.view(np.uint8).reshape(-1, stop - start)
        wrong |= ((digits < ord("0")) | (digits > ord("9"))).any(axis=1)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ParameterError(
                f"{name}: row {row}: {stop - start} digits, not {str(texts[row])!r}"
            )
        symbols[:, start:stop] = digits
    wrong = (numbers < 1) | (numbers > SERIAL_MAX)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ParameterError(f"serial: row {row}: 1 to {SERIAL_MAX:,}, not {numbers[row]:,}")
    for place in range(LENGTH - 1, 14, -1):
        numbers, digit = np.divmod(numbers, 10)
        symbols[:, place] = ord("0") + digit
    return symbols.view(f"S{LENGTH}").ravel().astype(TEXT)


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
    if reason := eaten_by_spreadsheet(body, LENGTH):
        return [reason]
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


def valid_all(codes: Iterable[str]) -> BoolArray:
    """Whether each of many codes is valid: where `validate` finds nothing.

    Parameters
    ----------
    codes : sequence of str, length n

    Returns
    -------
    bool array, shape (n,)

    Examples
    --------
    >>> valid_all(["421002990100001000123", "421002990100001000123-56"]).tolist()
    [True, False]
    """
    texts = as_texts(codes)
    foreign = beyond_ascii(texts)
    plain = np.where(foreign, np.array("", TEXT), texts) if foreign.any() else texts
    length = np.strings.str_len(plain)
    symbols = plain.astype(f"S{_WITH_CHECK}").view(np.uint8).reshape(-1, _WITH_CHECK)
    digits = symbols[:, :LENGTH] - np.uint8(ord("0"))  # below "0" it wraps around to above 9
    good: BoolArray = (digits.max(axis=1, initial=0) <= 9) & digits[:, 15:].any(axis=1)
    checked = good & (length == _WITH_CHECK) & (symbols[:, LENGTH] == ord("-"))
    if checked.any():
        bare = np.delete(symbols[checked], LENGTH, axis=1)
        numbers = np.ascontiguousarray(bare).view(f"S{_WITH_CHECK - 1}").ravel().astype(TEXT)
        checked[checked] = is_valid("mod_97_10", numbers)
    good &= (length == LENGTH) | checked
    # Full-width digits and blanks around are rare: one by one.
    odd = foreign
    odd[~good] |= np.strings.strip(plain[~good]) != plain[~good]
    good[odd] = [not validate(text) for text in texts[odd].tolist()]
    return good


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
    """Full-width characters made plain, blanks around the code left out."""
    return half_width(code.strip())
