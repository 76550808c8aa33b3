"""Codes as text: arrays of it, and full-width characters."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from cimkit.tables._columns import TEXT, BoolArray, TextArray

_HALF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_FULL = re.compile("[\u3000\uff01-\uff5e]")


def half_width(text: str) -> str:
    """Full-width letters, digits, signs and blanks (全角) made plain ones (半角).

    Examples
    --------
    >>> half_width("Ｂ座　１２－３号")
    'B座 12-3号'
    """
    # Most texts have none, and a search costs a tenth of a translation.
    return text.translate(_HALF) if _FULL.search(text) else text


def as_texts(values: str | Iterable[str]) -> TextArray:
    """One text or many as a text array.

    NumPy drops zero bytes at the end of a text, which would make a wrong code a right one;
    they become question marks, which no code holds.
    """
    if isinstance(values, np.ndarray) and values.dtype == TEXT:
        return values
    texts = [values] if isinstance(values, str) else list(values)
    return np.array([t.replace("\0", "?") if "\0" in t else t for t in texts], dtype=TEXT)


def beyond_ascii(texts: TextArray) -> BoolArray:
    """Which texts hold other characters than ASCII."""
    try:
        texts.astype("S1")
    except UnicodeEncodeError:
        return np.array([not text.isascii() for text in texts.tolist()], dtype=np.bool_)
    return np.zeros(len(texts), dtype=np.bool_)


def eaten_by_spreadsheet(text: str, length: int) -> str:
    """What a spreadsheet did to a code of at least so many characters; "" for nothing.

    Examples
    --------
    >>> eaten_by_spreadsheet("4.21E+20", 21)
    'a spreadsheet made a number of it, digits are lost: take it from its source, as text'
    >>> eaten_by_spreadsheet("990100000000005", 21)
    '15 of 21 digits: a spreadsheet drops leading zeros; take it from its source, as text'
    """
    source = "take it from its source, as text"
    if re.fullmatch(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+", text):
        return f"a spreadsheet made a number of it, digits are lost: {source}"
    if re.fullmatch(r"[0-9]+\.0", text):
        return f"a spreadsheet made a number of it: {source}"
    if text.isascii() and text.isdigit() and len(text) < length:
        return f"{len(text)} of {length} digits: a spreadsheet drops leading zeros; {source}"
    return ""
