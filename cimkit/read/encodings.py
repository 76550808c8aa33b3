"""How text is encoded (字符编码): what the user says, what the file says, what decodes.

The order is: told by the user; ``.cpg`` part; language byte of the ``.dbf``; strict UTF-8;
strict GB18030. Bytes in GB18030 are hardly ever valid UTF-8, the other way round it happens:
hence the order of the last two.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimkit.errors import EncodingError, ParameterError
from cimkit.tables.issue import Issue

GUESSES = ("utf-8", "gb18030")
"""Tried, in this order, where nothing is declared."""

_GB = ("gbk", "gb2312", "cp936", "hz")
_REPLACED = "\N{REPLACEMENT CHARACTER}"

_HIGH_RUN = re.compile("[\u00a1-\u00ff]{4,}")
"""Four letters in a row from the upper half of Latin-1: two characters of GB 2312."""

_SUSPECT_SHARE = 0.5
_SUSPECT_SAMPLE = 1000


def known_encoding(name: str) -> str:
    """Name of an encoding as Python knows it; GB18030 for the older two, which it contains.

    Raises
    ------
    ParameterError

    Examples
    --------
    >>> known_encoding("GBK"), known_encoding("UTF8"), known_encoding("936")
    ('gb18030', 'utf-8', 'gb18030')
    """
    found = declared_encoding(name)
    if not found:
        raise ParameterError(
            f"{name!r} is no text encoding; usual ones are utf-8, gb18030 (GBK), big5"
        )
    return found


def declared_encoding(text: str) -> str:
    """The encoding that a declaration such as ``ANSI 936`` means; "" for none."""
    name = text.strip().lower().removeprefix("ansi ").removeprefix("oem ").strip()
    name = {"65001": "utf-8"}.get(name, f"cp{name}" if name.isdigit() else name)
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    if not info._is_text_encoding:  # such as base64
        return ""
    return "gb18030" if info.name in _GB else info.name


def choose_encoding(
    samples: Iterable[set[bytes]], told: str, declared: Mapping[str, str], *, path: str
) -> tuple[str, list[Issue]]:
    """The first encoding, in the order of this module, that every text decodes in.

    A text that a declared encoding turns into what looks like text of another one, such as
    ``²ãÊý`` for ``层数``, counts as not decoded.

    Parameters
    ----------
    samples : iterable of set of bytes
        Texts that are not plain ASCII.
    told : str
        By the user; it is taken whatever it gives. "" for nothing.
    declared : mapping of str to str
        Encoding and what declares it, the stronger first.
    path : str

    Returns
    -------
    encoding : str
    issues : list of Issue
        One row (INFO), unless all text is ASCII: ``ENCODING_GIVEN`` by the user,
        ``ENCODING_DECLARED`` by the file, or ``ENCODING_GUESSED``.

    Raises
    ------
    EncodingError
        If none decodes all.
    """
    name = re.split(r"[\\/]", path)[-1]
    candidates = [told] if told else list(dict.fromkeys([*declared, *GUESSES]))
    left, plain, suspects = candidates, True, dict.fromkeys(candidates, 0)
    n_texts = 0
    for texts in samples:
        plain = plain and not texts
        if not told:
            left = [each for each in left if all(decodes(text, each) for text in texts)]
        looked_at = sorted(texts)[: _SUSPECT_SAMPLE - n_texts]
        n_texts += len(looked_at)
        for each in left:
            suspects[each] += sum(is_mojibake(decode_bytes(text, each)) for text in looked_at)
    sound = [each for each in left if suspects[each] <= _SUSPECT_SHARE * n_texts]
    if told:
        sound = [told]
    if not sound:
        what = ", ".join(candidates)
        problem = "looks like text of another encoding" if left else f"is none of {what}"
        raise EncodingError(
            f"its text {problem}",
            path=path,
            hint="Write it again in UTF-8, or state its encoding (footprints_encoding, "
            "addresses_encoding, or a .cpg file beside it).",
        )
    if plain:
        return sound[0], []
    return sound[0], [_choice(name, sound[0], told, declared)]


def _choice(name: str, chosen: str, told: str, declared: Mapping[str, str]) -> Issue:
    """What was chosen, and on whose word."""
    text = f"text of {name} read as {chosen}"
    if told:
        return Issue("INFO", "ENCODING_GIVEN", "city", "", f"{text}: as told")
    if chosen == next(iter(declared), ""):
        source = declared[chosen]
        return Issue("INFO", "ENCODING_DECLARED", "city", "", f"{text}: declared by {source}")
    reason = "none was declared"
    if declared:
        first = next(iter(declared))
        reason = f"{first} was declared by {declared[first]} but does not decode"
    return Issue("INFO", "ENCODING_GUESSED", "city", "", f"{text}: {reason}")


def decodes(text: bytes, encoding: str) -> bool:
    """Whether bytes decode, but for a character that is cut off at the end."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(text)
    except UnicodeDecodeError:
        return False
    return True


def decode_bytes(text: bytes, encoding: str) -> str:
    """Bytes as text; one that is cut off at the end is left out, others are replaced."""
    return codecs.getincrementaldecoder(encoding)("replace").decode(text)


def decode(text: str, encoding: str) -> str:
    """Text that was read as Latin-1, byte for byte, in its true encoding.

    Examples
    --------
    >>> decode("²ãÊý", "gb18030")
    '层数'
    """
    return decode_bytes(text.encode("latin-1"), encoding)


def is_mojibake(text: str) -> bool:
    r"""Whether text (乱码) was once decoded in the wrong encoding: Chinese as Latin letters.

    Examples
    --------
    >>> [is_mojibake(text) for text in ("²ãÊýÂ¥", "å±\x82æ\x95°", "Müller", "层数", "")]
    [True, True, False, False, False]
    """
    for encoding in ("latin-1", "cp1252"):
        try:
            raw = text.encode(encoding)
        except UnicodeEncodeError:
            continue
        try:
            if any("\u4e00" <= letter <= "\u9fff" for letter in raw.decode("utf-8")):
                return True
        except UnicodeDecodeError:
            pass
    return any(_is_gb(run) for run in _HIGH_RUN.findall(text))


def report_mojibake(table: str, path: str, texts: Iterable[str]) -> list[Issue]:
    """``ENCODING_SUSPECT`` where most of the text beyond ASCII is mojibake."""
    beyond = [text for text in texts if text and not text.isascii()][:_SUSPECT_SAMPLE]
    n = sum(map(is_mojibake, beyond))
    if not beyond or n <= _SUSPECT_SHARE * len(beyond):
        return []
    example = next(text for text in beyond if is_mojibake(text))[:40]
    message = (
        f"text of {path} was decoded in a wrong encoding before it came here, such as "
        f"{example!r}: export it again, in UTF-8"
    )
    return [Issue("WARNING", "ENCODING_SUSPECT", table, "", message)]


def report_replaced(
    name: str, encoding: str, columns: Iterable[NDArray[Any] | list[str]]
) -> list[Issue]:
    """``ENCODING_REPLACED`` where bytes had no meaning in the encoding that was told."""
    n_characters = n_texts = 0
    for column in columns:
        if isinstance(column, np.ndarray) and column.dtype != object:
            continue
        for text in column:
            if isinstance(text, str) and _REPLACED in text:
                n_texts += 1
                n_characters += text.count(_REPLACED)
    if not n_texts:
        return []
    message = (
        f"{n_characters:,} characters in {n_texts:,} texts of {name} mean nothing in "
        f"{encoding}; each stands as {_REPLACED}"
    )
    return [Issue("WARNING", "ENCODING_REPLACED", "city", "", message)]


def _is_gb(run: str) -> bool:
    """Whether a run of Latin-1 letters is two or more characters of GB 2312."""
    try:
        text = run.encode("latin-1").decode("gb2312")
    except UnicodeDecodeError:
        return False
    return all("\u4e00" <= letter <= "\u9fff" for letter in text)
