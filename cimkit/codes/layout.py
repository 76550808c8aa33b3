"""Code schemes that are data: segments of fixed length, or a pattern, in a TOML file.

::

    about = "building code of our city"
    source = "order 12 of the city, 2025"  # where the layout was read
    verified = true  # read in the rule itself
    check = "mod_97_10"  # a system of cimkit.codes.modulus; none by default

    [[segments]]
    name = "county"
    length = 6
    symbols = "0123456789"  # by default

    [[segments]]
    name = "serial"
    length = 6
    least = 1  # smallest number

A segment may say what a new code of a building holds there: ``division``, ``value`` or
``serial``, as `cimkit.codes.numbering` tells.
Segments with ``optional = true`` come last and are there or not, all together. ``minted_by``
says who gives the codes out where that is not cimkit. A scheme without segments has a
``pattern``, a regular expression for the whole code. A layout with ``verified = false`` was
not read in its standard: codes in its shape claim no conformance.

Many codes are worked on as one array of bytes, some million a second.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cimkit.codes import modulus
from cimkit.codes.text import as_texts, beyond_ascii, eaten_by_spreadsheet, half_width
from cimkit.errors import ParameterError
from cimkit.tables._columns import TEXT, BoolArray, TextArray

DIGITS = "0123456789"
LENGTH_MAX, DIVISION_DIGITS = 64, 12
"""Characters of a code, and of that of a community, the smallest division."""

_NOTHING = np.array("", TEXT)
_KEYS = {"about", "source", "verified", "minted_by", "check", "pattern", "segments"}
_SEGMENT_KEYS = {
    *("name", "length", "symbols", "least", "optional"),
    *("division", "value", "serial"),
}


class Segment(NamedTuple):
    """A part of a code.

    Attributes
    ----------
    name : str
    start, stop : int
        Its characters.
    symbols : str
        Those that it may hold.
    least : int
        Smallest number, for digits.
    division : tuple of two int, or ()
        First and last digit of the code of a division that stand here in new codes.
    value : str
        Text that stands here in new codes; "" for none.
    is_serial : bool
        Whether new codes are counted here.
    """

    name: str
    start: int
    stop: int
    symbols: str
    least: int
    division: tuple[int, ...] = ()
    value: str = ""
    is_serial: bool = False

    @property
    def length(self) -> int:
        """Characters."""
        return self.stop - self.start


class Layout(NamedTuple):
    """A code scheme read from a file.

    Attributes
    ----------
    name, about, source : str
    is_verified : bool
        Whether the layout was read in the rule itself.
    minted_by : str
        Who gives the codes out, where that is not cimkit; "" where it is.
    check : str
        Key of `cimkit.codes.modulus.SYSTEMS`; "" for no check. Its characters come last.
    pattern : str
        Of the whole code, where there are no segments.
    segments : tuple of Segment
    short : int
        Characters without the optional segments; the whole length where there are none.
    """

    name: str
    about: str
    source: str
    is_verified: bool
    minted_by: str
    check: str
    pattern: str
    segments: tuple[Segment, ...]
    short: int

    @property
    def length(self) -> int:
        """Characters of all segments, without the check."""
        return self.segments[-1].stop if self.segments else 0

    @property
    def n_checks(self) -> int:
        """Characters of the check."""
        return modulus.SYSTEMS[self.check].n_checks if self.check else 0


def layout_of(name: str, text: str) -> Layout:
    """A scheme from the text of its file.

    Raises
    ------
    ParameterError
        If it is no TOML of the form above; the message names the key.

    Examples
    --------
    >>> mine = layout_of("mine", "segments = [{name = 'serial', length = 4, least = 1}]")
    >>> mint(mine, serial=[7, 12]).tolist(), validate(mine, "0000")
    (['0007', '0012'], ['serial 0000 is below 1'])
    """
    try:
        return _layout(name, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ParameterError(f"no TOML: {error}") from error


def _layout(name: str, values: Mapping[str, Any]) -> Layout:
    """A layout of what its file says."""
    _only(values, _KEYS, "layout")
    segments, at, short = list[Segment](), 0, 0
    for k, part in enumerate(_typed(values, "segments", list, [])):
        segment = _segment(part, k, at)
        if segment.name in {known.name for known in segments}:
            raise ParameterError(f"segments: the name {segment.name!r} comes twice")
        is_optional = _typed(part, "optional", bool, False)
        if short < at and not is_optional:
            raise ParameterError(f"segments: {segment.name!r} after one that is optional")
        segments, at = [*segments, segment], segment.stop
        short = short if is_optional else at
    check, pattern = _typed(values, "check", str, ""), _typed(values, "pattern", str, "")
    if check and check not in modulus.SYSTEMS:
        raise ParameterError(f"check: one of {', '.join(modulus.SYSTEMS)}, not {check!r}")
    if bool(pattern) == bool(segments):
        raise ParameterError("either segments or a pattern make a layout")
    if at > LENGTH_MAX or (segments and not short):
        raise ParameterError(f"segments: 1 to {LENGTH_MAX} characters, not {at}")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ParameterError(f"pattern: {error}") from error
    return Layout(
        name,
        _typed(values, "about", str, name),
        _typed(values, "source", str, ""),
        _typed(values, "verified", bool, False),
        _typed(values, "minted_by", str, "the authority" if pattern else ""),
        check,
        pattern,
        tuple(segments),
        short,
    )


def _segment(part: Any, k: int, at: int) -> Segment:
    """A segment that begins at a character."""
    if not isinstance(part, dict):
        raise ParameterError(f"segments: number {k + 1} is no table")
    _only(part, _SEGMENT_KEYS, f"segment {k + 1}")
    name, length = _typed(part, "name", str, ""), _typed(part, "length", int, 0)
    symbols, least = _typed(part, "symbols", str, DIGITS), _typed(part, "least", int, 0)
    if not name.isidentifier():
        raise ParameterError(f"segment {k + 1}: name: letters, digits and _, not {name!r}")
    if length < 1:
        raise ParameterError(f"segment {name}: length: at least 1, not {length}")
    if not symbols or not symbols.isascii() or len(set(symbols)) != len(symbols):
        raise ParameterError(f"segment {name}: symbols: ASCII characters, each once")
    if least and not set(symbols) <= set(DIGITS):
        raise ParameterError(f"segment {name}: least: for digits only")
    return _sourced(part, Segment(name, at, at + length, symbols, least))


def _sourced(part: Mapping[str, Any], segment: Segment) -> Segment:
    """A segment with what new codes hold there."""
    where = f"segment {segment.name}:"
    if len(given := sorted({"division", "value", "serial"} & part.keys())) > 1:
        raise ParameterError(f"{where} either {' or '.join(given)}")
    division = tuple(_typed(part, "division", list, []))
    value, is_serial = _typed(part, "value", str, ""), _typed(part, "serial", bool, False)
    if division:
        fits = len(division) == 2 and all(type(digit) is int for digit in division)
        if not fits or not 1 <= division[0] <= division[1] <= DIVISION_DIGITS:
            raise ParameterError(f"{where} division: first and last digit, 1 to 12")
        if division[1] - division[0] + 1 != segment.length:
            raise ParameterError(f"{where} division: {segment.length} digits expected")
    if value and (len(value) != segment.length or not set(value) <= set(segment.symbols)):
        raise ParameterError(
            f"{where} value: {segment.length} characters of {segment.symbols}, not {value!r}"
        )
    if (division or is_serial) and not set(DIGITS) <= set(segment.symbols):
        raise ParameterError(f"{where} symbols: digits, where divisions or numbers stand")
    return segment._replace(division=division, value=value, is_serial=is_serial)


def _typed(values: Mapping[str, Any], key: str, kind: type, otherwise: Any) -> Any:
    value = values.get(key, otherwise)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ParameterError(f"{key}: {kind.__name__} expected, not {value!r}")
    return value


def _only(values: Mapping[str, Any], known: set[str], where: str) -> None:
    if strange := sorted(set(values) - known):
        raise ParameterError(f"{where}: no key {strange[0]!r}; there are {sorted(known)}")


def mint(layout: Layout, **parts: str | int | Iterable[str] | ArrayLike) -> TextArray:
    """Codes from their segments, with the check if the scheme has one.

    Parameters
    ----------
    layout : Layout
    **parts : str, int, or sequence of them of length n
        One for each segment, by name; the optional ones all or none. Numbers are filled with
        zeros, texts are not.

    Returns
    -------
    text array, shape (n,)

    Raises
    ------
    ParameterError
        If cimkit does not give these codes out, a segment is missing or unknown, or a row has
        another length, other characters or a number that is too large.
    """
    if layout.minted_by:
        raise ParameterError(f"{layout.name} is given out by {layout.minted_by}, not here")
    wanted = [s for s in layout.segments if s.name in parts or s.stop <= layout.short]
    full = len(wanted) == len(layout.segments)
    missing = [s.name for s in wanted if s.name not in parts]
    if not full and wanted and wanted[-1].stop > layout.short:
        missing += [s.name for s in layout.segments if s.name not in parts]
    strange = sorted(set(parts) - {s.name for s in layout.segments})
    if missing or strange:
        what = f"needs {', '.join(missing)}" if missing else f"has no segment {strange[0]}"
        raise ParameterError(f"{layout.name} {what}")
    columns = {s.name: _column(s, parts[s.name]) for s in wanted}
    n = max(len(column) for column in columns.values())
    symbols = np.empty((n, wanted[-1].stop), dtype=np.uint8)
    for segment in wanted:
        column = columns[segment.name]
        if len(column) not in (1, n):
            raise ParameterError(f"{segment.name}: {len(column)} rows for {n}")
        symbols[:, segment.start : segment.stop] = column
    good = _allowed(layout, symbols, np.full(n, symbols.shape[1]))
    codes = _as_text(symbols)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        faults = "; ".join(_faults(layout, str(codes[row])))
        raise ParameterError(f"{layout.name}: row {row}: {faults}")
    return np.strings.add(codes, check(layout, codes)) if layout.check else codes


def _column(segment: Segment, values: Any) -> NDArray[np.uint8]:
    """Characters of a segment, a row each."""
    array = np.atleast_1d(np.asarray(values)) if not isinstance(values, str) else None
    if array is not None and array.dtype.kind in "iu":
        numbers = array.astype(np.int64)
        if (wrong := (numbers < 0) | (numbers >= 10**segment.length)).any():
            row = int(np.flatnonzero(wrong)[0])
            raise ParameterError(
                f"{segment.name}: row {row}: {segment.length} digits, not {numbers[row]:,}"
            )
        out = np.empty((len(numbers), segment.length), dtype=np.uint8)
        for place in range(segment.length - 1, -1, -1):
            numbers, digit = np.divmod(numbers, 10)
            out[:, place] = ord("0") + digit
        return out
    texts = as_texts(values)
    wrong = beyond_ascii(texts) | (np.strings.str_len(texts) != segment.length)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ParameterError(
            f"{segment.name}: row {row}: {segment.length} characters, not {str(texts[row])!r}"
        )
    return texts.astype(f"S{segment.length}").view(np.uint8).reshape(-1, segment.length)


def parse(layout: Layout, codes: str | Iterable[str]) -> dict[str, TextArray]:
    """Segments of valid codes, a text array each; optional ones are "" where not there.

    Raises
    ------
    ParameterError
        With the faults of the first code that is not valid.

    Examples
    --------
    >>> from cimkit.codes.schemes import layout
    >>> parts = parse(layout("sz25"), ["4403050070050100001"])
    >>> parts["street"].tolist(), parts["room"].tolist()
    (['007'], [''])
    """
    texts = as_texts(codes)
    good = valid_all(layout, texts)
    if not good.all():
        code = str(texts[int(np.flatnonzero(~good)[0])])
        raise ParameterError(f"code {code!r}: {'; '.join(validate(layout, code))}")
    plain = _plain(texts)
    if layout.pattern:
        return {"code": plain}
    symbols, length = _symbols(plain, layout.length + layout.n_checks)
    body = length - layout.n_checks
    found = {}
    for segment in layout.segments:
        there = body >= segment.stop
        part = _as_text(symbols[:, segment.start : segment.stop]) if there.any() else plain
        found[segment.name] = part if there.all() else np.where(there, part, _NOTHING)
    return found


def valid_all(layout: Layout, codes: str | Iterable[str]) -> BoolArray:
    """Whether each code is valid, shape (n,)."""
    plain = _plain(as_texts(codes))
    if layout.pattern:
        rule = re.compile(layout.pattern)
        found = [rule.fullmatch(text) is not None for text in plain.tolist()]
        return np.array(found, dtype=np.bool_)
    whole = layout.length + layout.n_checks
    foreign = beyond_ascii(plain)
    plain = np.where(foreign, np.array("", TEXT), plain) if foreign.any() else plain
    symbols, length = _symbols(plain, whole)
    good = _allowed(layout, symbols, length - layout.n_checks)
    if layout.check and good.any():
        good[good] = modulus.is_valid(layout.check, plain[good])
    return good


def validate(layout: Layout, code: object) -> list[str]:
    """What is wrong with a code; nothing if it is valid.

    Examples
    --------
    >>> from cimkit.codes.schemes import layout
    >>> validate(layout("bdc28"), "420111001001GB00001F0001000")
    ['28 characters expected, not 27']
    >>> validate(layout("sz25"), "4.40305E+18")
    ['a spreadsheet made a number of it, digits are lost: take it from its source, as text']
    """
    if not isinstance(code, str):
        return [f"text expected, not {type(code).__name__}: a number loses digits and zeros"]
    text = half_width(code.strip())
    if layout.pattern:
        fits = re.compile(layout.pattern).fullmatch(text)
        return [] if fits else [f"it is not of the form {layout.pattern}"]
    return _faults(layout, text, layout.n_checks)


def check(layout: Layout, codes: str | Iterable[str]) -> TextArray:
    """Check characters of codes that are given without them; "" where the scheme has none."""
    bodies = as_texts(codes)
    if not layout.check:
        return np.full(len(bodies), "", dtype=TEXT)
    return np.atleast_1d(modulus.check_characters(layout.check, bodies))


def duplicates(codes: str | Iterable[str]) -> TextArray:
    """Codes that come more than once, sorted: a code names one thing.

    Examples
    --------
    >>> duplicates(["b", "a", "b"]).tolist()
    ['b']
    """
    values, count = np.unique(_plain(as_texts(codes)), return_counts=True)
    return np.asarray(values[count > 1])


def _faults(layout: Layout, text: str, n_checks: int = 0) -> list[str]:
    """What is wrong with a plain text, with or without check characters."""
    lengths = sorted({layout.short + n_checks, layout.length + n_checks})
    if reason := eaten_by_spreadsheet(text, lengths[0]):
        return [reason]
    if len(text) not in lengths:
        return [f"{' or '.join(map(str, lengths))} characters expected, not {len(text)}"]
    body, faults = text[: len(text) - n_checks], list[str]()
    for segment in layout.segments:
        part = body[segment.start : segment.stop]
        wrong = [k for k, symbol in enumerate(part) if symbol not in segment.symbols]
        faults += [
            f"position {segment.start + k + 1} is {part[k]!r}, not of {segment.symbols} "
            f"({segment.name})"
            for k in wrong
        ]
        if part and segment.least and not wrong and int(part) < segment.least:
            faults.append(f"{segment.name} {part} is below {segment.least}")
    return faults or (modulus.faults(layout.check, text) if n_checks else [])


def _allowed(layout: Layout, symbols: NDArray[np.uint8], length: NDArray[Any]) -> BoolArray:
    """Whether all characters are those of their segments, and the numbers large enough."""
    good: BoolArray = (length == layout.short) | (length == layout.length)
    for segment in layout.segments:
        if segment.start >= symbols.shape[1]:
            break
        there = length >= segment.stop
        known = np.zeros(256, dtype=np.bool_)
        known[np.frombuffer(segment.symbols.encode(), np.uint8)] = True
        part = symbols[:, segment.start : segment.stop]
        fits = known[part].all(axis=1)
        if segment.least:
            number = np.zeros(len(part), dtype=np.int64)
            for column in part.T:
                number = 10 * number + column - ord("0")
            fits &= number >= segment.least
        good &= fits | ~there
    return good


def _plain(texts: TextArray) -> TextArray:
    """Blanks around left out, full-width characters made plain."""
    plain = np.strings.strip(texts)
    rows = np.flatnonzero(beyond_ascii(plain))
    if len(rows):
        plain = plain.copy()
        plain[rows] = [half_width(text) for text in plain[rows].tolist()]
    return plain


def _symbols(plain: TextArray, width: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Characters of ASCII texts as bytes, zero where a text is shorter, and their lengths."""
    length = np.strings.str_len(plain)
    return plain.astype(f"S{width}").view(np.uint8).reshape(-1, width), length


def _as_text(symbols: NDArray[np.uint8]) -> TextArray:
    """Rows of bytes as texts."""
    width = symbols.shape[1]
    whole = np.ascontiguousarray(symbols).view(f"S{width}").ravel()
    return whole.astype(TEXT)
