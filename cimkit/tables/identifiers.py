"""Identifiers as users write them, made comparable and unique."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit.limits import TEXT_CHARACTERS_MAX
from cimkit.tables._columns import TEXT, TextArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd"  # controls, lone surrogates, what was lost
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # marks that turn the way of writing
)
_EXACT = 2.0**53
"""From here on float64 skips whole numbers: two identifiers could read the same."""


def tidy_identifiers(values: Iterable[Any]) -> TextArray:
    r"""Identifiers as text that can be compared; "" where a value cannot serve as one.

    Text keeps its leading zeros, loses blanks at both ends and is brought to Unicode form NFC.
    Whole numbers that a file stores as float lose their ``.0``. Not usable are missing and
    blank values, those with control or direction characters, over-long ones, and floats of
    2**53 and above.

    Parameters
    ----------
    values : iterable of text, number or None, length n

    Returns
    -------
    text array, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> tidy_identifiers(["007", " a ", np.float64(12.0), None, "a\x00b"]).tolist()
    ['007', 'a', '12', '', '']
    """
    return np.array([_tidy(value) for value in values], dtype=TEXT)


def suffix_duplicates(identifiers: Sequence[str], order: Iterable[int]) -> dict[int, str]:
    """New names for all but the first row of each doubled identifier: ``id~2``, ``id~3``, ...

    Parameters
    ----------
    identifiers : sequence of str, length n
    order : iterable of int
        Rows in the order that decides who is first; rows left out keep their names.

    Returns
    -------
    dict of int to str
        Row and its new name; a name that the table holds already is skipped.

    Examples
    --------
    >>> suffix_duplicates(["a", "b", "a", "a~2", "a"], [4, 2, 1, 3, 0])
    {2: 'a~3', 0: 'a~4'}
    """
    taken, count, renamed = set(identifiers), dict[str, int](), dict[int, str]()
    for row in order:
        name = identifiers[row]
        count[name] = count.get(name, 0) + 1
        if count[name] == 1:
            continue
        while (candidate := f"{name}~{count[name]}") in taken:
            count[name] += 1
        taken.add(candidate)
        renamed[int(row)] = candidate
    return renamed


def _tidy(value: Any) -> str:
    """One identifier, or ""."""
    if value is None:
        return ""
    if isinstance(value, float):  # np.float64 as well
        if not abs(value) < _EXACT:
            return ""
        text = str(int(value)) if value.is_integer() else repr(float(value))
    else:
        text = unicodedata.normalize("NFC", str(value).strip())
    return "" if len(text) > TEXT_CHARACTERS_MAX or _UNSAFE.search(text) else text
