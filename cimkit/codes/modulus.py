"""Check characters (校验码): ISO/IEC 7064 and the systems of Chinese codes.

============  ==================  =========  ======================================
system        body                check      where
============  ==================  =========  ======================================
``mod_97_10`` digits              2 digits   plates; catches every slip of one digit
                                             and every swap of neighbours
``mod_11_2``  digits              0-9, X     GB 11643; catches the same
``mod_11_10`` digits              1 digit    lets 1 in 45 swaps of neighbours pass
``mod_37_2``  digits, letters     0-9 A-Z *
``mod_37_36`` digits, letters     0-9 A-Z
``gb32100``   17 of 31 symbols    1 of them  unified social credit code, MOD 31
``gb11714``   8 digits, letters   0-9, X     organisation code, MOD 11
============  ==================  =========  ======================================

All take one text or many at once, some million characters a second.
"""

from __future__ import annotations

from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from cimkit.codes.text import as_texts, beyond_ascii
from cimkit.errors import ParameterError
from cimkit.tables._columns import TEXT, BoolArray, ByteArray, IntArray, TextArray

_Many = list[str] | tuple[str, ...] | NDArray[Any]

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class CheckSystem(NamedTuple):
    """How a check is computed.

    Attributes
    ----------
    alphabet, checks : str
        Characters of the body and of the check, by rising value.
    modulus : int
    radix : int
        Of the recursion of ISO/IEC 7064; 0 where weights stand instead.
    weights : tuple of int
        One for each character of a body of this length.
    n_checks : int
        Characters of the check.
    """

    alphabet: str
    checks: str
    modulus: int
    radix: int = 0
    weights: tuple[int, ...] = ()
    n_checks: int = 1

    @property
    def is_hybrid(self) -> bool:
        """Whether it has two moduli, M + 1 and M (clause 8 of ISO/IEC 7064)."""
        return (
            self.radix == 2 and self.modulus == len(self.alphabet) + 1 == len(self.checks) + 1
        )


SYSTEMS = {
    "mod_97_10": CheckSystem(DIGITS, DIGITS, 97, 10, n_checks=2),
    "mod_11_2": CheckSystem(DIGITS, DIGITS + "X", 11, 2),
    "mod_11_10": CheckSystem(DIGITS, DIGITS, 11, 2),
    "mod_37_2": CheckSystem(DIGITS + LETTERS, DIGITS + LETTERS + "*", 37, 2),
    "mod_37_36": CheckSystem(DIGITS + LETTERS, DIGITS + LETTERS, 37, 2),
    "gb32100": CheckSystem(
        "0123456789ABCDEFGHJKLMNPQRTUWXY",
        "0123456789ABCDEFGHJKLMNPQRTUWXY",
        31,
        weights=tuple(pow(3, k, 31) for k in range(17)),
    ),
    "gb11714": CheckSystem(
        DIGITS + LETTERS, DIGITS + "X", 11, weights=(3, 7, 9, 10, 5, 8, 4, 2)
    ),
}
"""All systems by name."""


@overload
def check_characters(system: str, body: str) -> str: ...
@overload
def check_characters(system: str, body: _Many) -> TextArray: ...
def check_characters(system: str, body: str | _Many) -> str | TextArray:
    """Check of each body.

    Parameters
    ----------
    system : str
        Key of `SYSTEMS`.
    body : str, or sequence of str of length n
        Without the check; at least one character.

    Returns
    -------
    str, or text array of shape (n,)

    Raises
    ------
    ParameterError
        If there is no such system, or a body has another length or other characters.

    Examples
    --------
    >>> check_characters("mod_37_36", "A12425GABC1234002")
    'M'
    >>> check_characters("mod_97_10", ["99991234567890121414", "4354111611551114"]).tolist()
    ['90', '31']
    """
    rule, bodies = _system(system), as_texts(body)
    symbols, length = _symbols(bodies)
    values, good = _values(rule, symbols, length)
    if not good.all():
        text = str(bodies[int(np.flatnonzero(~good)[0])])
        raise ParameterError(f"body {text!r}: {_body_faults(rule, text)[0]}")
    checks = _checks(rule, values, length)
    texts = np.ascontiguousarray(checks).view(f"S{rule.n_checks}").ravel().astype(TEXT)
    return str(texts[0]) if isinstance(body, str) else texts


@overload
def is_valid(system: str, code: str) -> bool: ...
@overload
def is_valid(system: str, code: _Many) -> BoolArray: ...
def is_valid(system: str, code: str | _Many) -> bool | BoolArray:
    """Whether each code ends in its check. Other lengths and characters are not valid.

    Parameters
    ----------
    system : str
        Key of `SYSTEMS`.
    code : str, or sequence of str of length n
        With the check.

    Returns
    -------
    bool, or bool array of shape (n,)

    Raises
    ------
    ParameterError
        If there is no such system.

    Examples
    --------
    >>> is_valid("gb32100", "91110000600037341L")
    True
    >>> is_valid("mod_11_2", ["079X", "07940", "0795", ""]).tolist()
    [True, True, False, False]
    """
    rule = _system(system)
    symbols, length = _symbols(as_texts(code))
    length = length - rule.n_checks
    values, good = _values(rule, symbols, length)
    rows = np.flatnonzero(good)
    places = length[rows, None] + np.arange(rule.n_checks)
    found = symbols[rows[:, None], places]
    good[rows] = (_checks(rule, values[rows], length[rows]) == found).all(axis=1)
    return bool(good[0]) if isinstance(code, str) else good


def faults(system: str, code: str) -> list[str]:
    """What is wrong with a code, with positions; nothing if it is valid.

    Examples
    --------
    >>> faults("mod_11_2", "0795"), faults("mod_11_2", "07O5")
    (['check is 5, not X'], ["position 3 is 'O', not one of 0123456789"])
    >>> faults("gb11714", "6000373")
    ['9 characters expected, not 7']
    """
    rule = _system(system)
    cut = max(len(code) - rule.n_checks, 0)
    found = _body_faults(rule, code[:cut])
    if found:
        return found
    check = check_characters(system, code[:cut])
    return [] if check == code[cut:] else [f"check is {code[cut:]}, not {check}"]


def mod_97_10(digits: str) -> str:
    """Two check digits that catch every single error and every swap of neighbours.

    The same as ``check_characters("mod_97_10", digits)``, for one short text.

    Examples
    --------
    >>> mod_97_10("99991234567890121414")
    '90'
    """
    if not (digits.isascii() and digits.isdigit()):
        raise ParameterError(f"{digits!r}: only the digits 0 to 9 have a check by MOD 97-10")
    return f"{98 - int(digits) * 100 % 97:02d}"


def _system(name: str) -> CheckSystem:
    if name not in SYSTEMS:
        raise ParameterError(f"system: one of {', '.join(SYSTEMS)}, not {name!r}")
    return SYSTEMS[name]


def _symbols(texts: TextArray) -> tuple[ByteArray, IntArray]:
    """Characters, shape (n, longest), and lengths; texts beyond ASCII become question marks."""
    foreign = beyond_ascii(texts)
    if foreign.any():
        marks = ["?" * len(text) for text in texts[foreign].tolist()]
        texts = texts.copy()
        texts[foreign] = np.array(marks, dtype=TEXT)
    length = np.strings.str_len(texts).astype(np.int64)
    longest = int(length.max(initial=1))
    return texts.astype(f"S{longest}").view(np.uint8).reshape(len(texts), longest), length


def _values(
    rule: CheckSystem, symbols: ByteArray, length: IntArray
) -> tuple[ByteArray, BoolArray]:
    """Values of the first characters, and whether a body may look like that."""
    value_of = np.full(256, len(rule.alphabet), dtype=np.uint8)
    value_of[np.frombuffer(rule.alphabet.encode(), np.uint8)] = np.arange(len(rule.alphabet))
    values = value_of[symbols]
    values[np.arange(symbols.shape[1]) >= length[:, None]] = 0
    good = (values < len(rule.alphabet)).all(axis=1)
    good &= length == len(rule.weights) if rule.weights else length > 0
    return values, good


def _checks(rule: CheckSystem, values: ByteArray, length: IntArray) -> ByteArray:
    """Characters of the checks of bodies that may be so, shape (n, n_checks)."""
    symbols = np.frombuffer(rule.checks.encode(), np.uint8)
    modulus, columns = rule.modulus, values.T.astype(np.int32)
    if rule.weights:
        total = np.zeros(len(length), np.int32)
        for weight, column in zip(rule.weights, columns, strict=False):
            total += weight * column
        return symbols[-total % modulus][:, None]
    rest = np.full(len(length), modulus - 1 if rule.is_hybrid else 0, dtype=np.int32)
    shortest = int(length.min(initial=len(columns)))
    for place, column in enumerate(columns[: int(length.max(initial=0))]):
        total = rest + column
        if rule.is_hybrid:
            total %= modulus - 1
            total[total == 0] = modulus - 1
        total = total * rule.radix % modulus
        rest = total if place < shortest else np.where(place < length, total, rest)
    if rule.n_checks == 1:
        return symbols[(1 - rest) % (modulus - rule.is_hybrid)][:, None]
    value = modulus + 1 - rest * rule.radix % modulus
    return symbols[np.column_stack([value // 10, value % 10])]


def _body_faults(rule: CheckSystem, body: str) -> list[str]:
    """Characters and lengths that a body may not have."""
    found = [
        f"position {place} is {symbol!r}, not one of {rule.alphabet}"
        for place, symbol in enumerate(body, start=1)
        if symbol not in rule.alphabet
    ]
    wanted = len(rule.weights)
    if wanted and len(body) != wanted:
        found.append(
            f"{wanted + rule.n_checks} characters expected, not {len(body) + rule.n_checks}"
        )
    if not body:
        found.append(f"no character before the {rule.n_checks} of the check")
    return found
