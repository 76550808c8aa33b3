"""Unified social credit code (统一社会信用代码, GB 32100-2015) of an organisation.

::

    9         1     110000  60003734 1    L
    authority type  region  organisation  check
                            GB 11714      MOD 31

The alphabet leaves out I, O, S, V and Z, which look like other characters. Codes are issued by
authorities: they are parsed and validated here, never minted.
"""

from __future__ import annotations

from typing import NamedTuple

from cimkit.codes.modulus import SYSTEMS, check_characters
from cimkit.codes.text import half_width
from cimkit.errors import ParameterError

LENGTH = 18
LOOK_ALIKES = {"I": "1", "O": "0", "S": "5", "V": "U", "Z": "2"}
"""Letters that the alphabet leaves out, and what they are usually read for."""

_ALPHABET = SYSTEMS["gb32100"].alphabet


class CreditCode(NamedTuple):
    """The segments of a code.

    Attributes
    ----------
    authority : str
        Registering authority (登记管理部门), 1 character.
    kind : str
        Kind of organisation (机构类别), 1 character.
    region : str
        Division (行政区划) where it was registered, 6 digits of GB/T 2260.
    organisation : str
        Organisation code (组织机构代码), 9 characters. It has a check of its own, GB 11714,
        which some authorities do not keep to; `validate` does not ask for it.
    check : str
        1 character.
    """

    authority: str
    kind: str
    region: str
    organisation: str
    check: str


def parse(code: str) -> CreditCode:
    """Segments of a code.

    Parameters
    ----------
    code : str
        Full-width and small letters are read as plain capitals; blanks around the code are
        ignored.

    Raises
    ------
    ParameterError
        With all the reasons that `validate` gives.

    Examples
    --------
    >>> parse("91110000600037341L")
    CreditCode(authority='9', kind='1', region='110000', organisation='600037341', check='L')
    """
    if faults := validate(code):
        raise ParameterError(f"code {code!r}: {'; '.join(faults)}")
    text = _normalise(code)
    return CreditCode(text[0], text[1], text[2:8], text[8:17], text[17])


def validate(code: object) -> list[str]:
    """What is wrong with a code, with positions; nothing if it is valid.

    Examples
    --------
    >>> validate("９１１１００００６０００３７３４１ｌ")
    []
    >>> validate("9111O000600037341L")
    ["position 5 is 'O', which no code has: 0?"]
    >>> validate("91110000600037341M")
    ['check is M, not L']
    """
    if not isinstance(code, str):
        return [f"text expected, not {type(code).__name__}: a number loses digits and zeros"]
    text = _normalise(code)
    faults = [
        f"position {place} is {symbol!r}, {_advise(symbol)}"
        for place, symbol in enumerate(text[:LENGTH], start=1)
        if symbol not in _ALPHABET
    ]
    faults += [
        f"position {place} is {symbol!r}, not a digit of the region"
        for place, symbol in enumerate(text[2:8], start=3)
        if symbol in _ALPHABET and not symbol.isdigit()
    ]
    if len(text) != LENGTH:
        faults.append(f"{LENGTH} characters expected, not {len(text)}")
    if not faults and text[17] != (check := check_characters("gb32100", text[:17])):
        faults.append(f"check is {text[17]}, not {check}")
    return faults


def _advise(symbol: str) -> str:
    """Why a character cannot stand in a code, and what it was perhaps meant for."""
    if symbol in LOOK_ALIKES:
        return f"which no code has: {LOOK_ALIKES[symbol]}?"
    return "neither a digit nor a letter of the alphabet"


def _normalise(code: str) -> str:
    """Plain capitals and digits, without blanks around."""
    return half_width(code).strip().upper()
