"""HTML and SVG text that is escaped by construction.

`element` is the only way to make a tag. A child or an attribute value that is not `Markup` is
data, and is escaped; so no text of a file can become markup, and every result is valid XML.
"""

from __future__ import annotations

import html
import re


class Markup(str):
    """Text that `element` made, and that needs no escaping any more."""

    __slots__ = ()


_EMPTY = frozenset({"circle", "feGaussianBlur", "line", "meta", "path", "rect", "stop"})
"""Tags that are closed at once when they have no children."""

_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
"""Control, direction and zero-width characters: they hide or reorder text, or break XML."""


def escape(value: object) -> Markup:
    r"""Turn data into text: markup characters escaped, invisible characters spelled out.

    Examples
    --------
    >>> escape("<b> & \x1b[2J\u202e")
    '&lt;b&gt; &amp; \\x1b[2J\\u202e'
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_INVISIBLE.sub(_spelled, str(value)), quote=True))


def element(tag: str, /, *children: object, **attributes: object) -> Markup:
    """One tag with its children; all that is not `Markup` is escaped.

    Parameters
    ----------
    tag : str
    *children : Markup or object
    **attributes : object
        ``_`` stands for ``-``, and a trailing one is dropped (``class_``). Floats are written
        with at most two decimals; None leaves the attribute out, True repeats its name.

    Examples
    --------
    >>> element("p", "a < b", element("b", 1), class_="note")
    '<p class="note">a &lt; b<b>1</b></p>'
    >>> element("rect", x=1.0, stroke_width=0.125)
    '<rect x="1" stroke-width="0.12"/>'
    """
    names = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    written = "".join(
        f' {name}="{escape(name if value is True else _plain(value))}"'
        for name, value in names
        if value is not None
    )
    if not children and tag in _EMPTY:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{''.join(map(escape, children))}</{tag}>")


def _plain(value: object) -> object:
    """Write a float in fixed notation without trailing zeros; keep everything else."""
    if not isinstance(value, float):
        return value
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _spelled(match: re.Match[str]) -> str:
    """One character as its escape sequence."""
    return match.group().encode("unicode_escape").decode("ascii")
