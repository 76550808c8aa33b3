"""Code schemes, also from a file of the user's own."""

from __future__ import annotations

from cimkit.codes.layout import Layout, layout_of
from cimkit.codes.numbering import Numbering, building_numbering, numbering_of
from cimkit.codes.schemes import LAYOUTS, Scheme, layout, scheme, scheme_of
from cimkit.errors import FormatError, ParameterError
from cimkit.read.formats import local_file

FILE_MAX = 100_000
"""Bytes of a layout file; a real one has two thousand."""


def find_scheme(name: str) -> Scheme:
    """A scheme by its name, or by the path of a layout file (``.toml``).

    Raises
    ------
    ParameterError
        If there is none of that name; the message lists all.
    FormatError
        If the file cannot be read, or is no layout; the message names the key.

    Examples
    --------
    >>> find_scheme("uic21").validate("42100299010000100012A")
    ["position 21 is 'A', not a digit"]
    """
    return scheme_of(_layout_file(name)) if name.endswith(".toml") else scheme(name)


def find_numbering(name: str, class_code: str) -> Numbering:
    """How new buildings are counted in a scheme.

    Parameters
    ----------
    name : str
        ``uic21``, another layout that comes with cimkit, or the path of a file.
    class_code : str
        The class segment of ``uic21``.

    Raises
    ------
    ParameterError
        If there is no such scheme, or buildings cannot be counted in it.
    FormatError
        If the file cannot be read, or is no layout.

    Examples
    --------
    >>> [frame.before for frame in find_numbering("uic21", "990100").frames(["421002001"])]
    ['421002990100001']
    """
    if name == "uic21":
        return building_numbering(class_code)
    if name.endswith(".toml"):
        rule = _layout_file(name)
    elif name in LAYOUTS:
        rule = layout(name)
    else:
        raise ParameterError(f"code_scheme: uic21 or a layout file (.toml), not {name!r}")
    try:
        return numbering_of(rule)
    except ParameterError as error:
        raise ParameterError(f"code_scheme: {error}") from error


def _layout_file(name: str) -> Layout:
    """The layout of a file."""
    file = local_file(name)
    try:
        with file.open("rb") as stream:
            text = stream.read(FILE_MAX + 1)
        if len(text) > FILE_MAX:
            raise FormatError(f"more than {FILE_MAX:,} bytes, no layout", path=name)
        return layout_of(file.stem, text.decode("utf-8-sig"))
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", path=name) from error
    except UnicodeDecodeError as error:
        raise FormatError("is not UTF-8", path=name, hint="Save it as UTF-8.") from error
    except ParameterError as error:
        raise FormatError(f"is no layout: {error}", path=name) from error
