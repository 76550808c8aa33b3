"""What a spreadsheet would do to a text, and how to keep it from that."""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of what a spreadsheet takes for a formula."""


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe; others stay.

    Examples
    --------
    >>> harmless("=1+1"), harmless("3幢"), harmless(-3)
    ("'=1+1", '3幢', -3)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
