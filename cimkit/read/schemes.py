"""Code schemes, also from a file of the user's own."""

from __future__ import annotations

from cimkit.codes.layout import layout_of
from cimkit.codes.schemes import Scheme, scheme, scheme_of
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
    if not name.endswith(".toml"):
        return scheme(name)
    file = local_file(name)
    try:
        with file.open("rb") as stream:
            text = stream.read(FILE_MAX + 1)
        if len(text) > FILE_MAX:
            raise FormatError(f"more than {FILE_MAX:,} bytes, no layout", path=name)
        return scheme_of(layout_of(file.stem, text.decode("utf-8-sig")))
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", path=name) from error
    except UnicodeDecodeError as error:
        raise FormatError("is not UTF-8", path=name, hint="Save it as UTF-8.") from error
    except ParameterError as error:
        raise FormatError(f"is no layout: {error}", path=name) from error
