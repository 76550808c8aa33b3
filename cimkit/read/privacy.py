"""Personal data are refused at the door: they have no place in a city model."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any

from cimkit.codes.modulus import is_valid
from cimkit.codes.text import half_width
from cimkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KEY_VARIABLE = "CIMKIT_PSEUDONYM_KEY"
"""Environment variable with the key for pseudonyms; it is never written anywhere."""

_SAMPLE = 1000
_MANY_IDENTITIES, _MANY_PHONES = 0.1, 0.5
"""Shares of a column from which on it is one. An identity number has a check and a date in it,
so chance makes few; eleven digits can be many things."""

_PHONE = re.compile(r"(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|0\d{2,3}[- ]\d{7,8}")


def refuse_personal(path: str, column: str, values: Sequence[Any], *, pseudonym: bool) -> bool:
    """Stop if a column looks like identity or telephone numbers.

    Parameters
    ----------
    path, column : str
        For the message, which never shows a value.
    values : sequence
        Of the column; the first thousand that are not empty are looked at.
    pseudonym : bool
        Whether identity numbers may pass, because pseudonyms will be made of them.

    Returns
    -------
    bool
        Whether the column holds identity numbers, where they may pass.

    Raises
    ------
    InputError

    Examples
    --------
    >>> refuse_personal("a.csv", "MPH", ["5号", "7号"], pseudonym=False)
    False
    """
    sample = [half_width(str(v)).strip() for v in values[: 10 * _SAMPLE] if v not in (None, "")]
    sample = sample[:_SAMPLE]
    formed = [text.upper() for text in sample if is_like_identity_number(text)]
    if formed and is_valid("mod_11_2", formed).sum() > _MANY_IDENTITIES * len(sample):
        if pseudonym:
            return True
        raise InputError(
            f"column {column} holds identity-card numbers (公民身份号码)",
            path=path,
            hint="Personal data have no place in a city model: leave the column out. To count "
            f"persons by it, set a secret key in {KEY_VARIABLE}.",
        )
    phones = sum(_PHONE.fullmatch(text) is not None for text in sample)
    if phones > _MANY_PHONES * len(sample):
        raise InputError(
            f"column {column} holds telephone numbers (电话号码)",
            path=path,
            hint="Personal data have no place in a city model: leave the column out.",
        )
    return False


def is_like_identity_number(text: str) -> bool:
    """Whether a text has the form and the date of a citizen identification number, GB 11643."""
    if not re.fullmatch(r"[1-9]\d{16}[\dXx]", text, re.ASCII):
        return False
    try:
        datetime.date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return True


def pseudonyms(values: Iterable[str], key: str) -> list[str]:
    """HMAC-SHA256 of each value: who has the key can tell persons apart, and nobody else.

    Examples
    --------
    >>> one, same, other = pseudonyms(["a", "a", "b"], "secret")
    >>> one == same, one == other, len(one)
    (True, False, 64)
    """
    secret = key.encode()
    return [hmac.new(secret, text.encode(), hashlib.sha256).hexdigest() for text in values]
