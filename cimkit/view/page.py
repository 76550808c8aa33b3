"""The built page: where it lies, and what to do where it was never built."""

from __future__ import annotations

from pathlib import Path

from cimkit.errors import ParameterError

DIST = Path(__file__).parent / "dist"
"""Left by ``npm run build``; not in the repository."""

FILES = {
    "index.html": "text/html; charset=utf-8",
    "viewer.js": "text/javascript; charset=utf-8",
    "viewer.css": "text/css; charset=utf-8",
    "licenses.txt": "text/plain; charset=utf-8",
}
"""Files of the page, and what they are."""


def is_built(dist: Path = DIST) -> bool:
    """Whether the page is there."""
    return all((dist / name).is_file() for name in FILES)


def require_page(dist: Path = DIST) -> None:
    """Refuse to go on without the page.

    Raises
    ------
    ParameterError
        Says how to get it.
    """
    if not is_built(dist):
        raise ParameterError(
            f"the page of the viewer was not built ({dist} holds none). Install Node.js 20 or "
            "newer with npm, then install cimkit again, or run npm ci and npm run build in "
            f"{dist.parent}."
        )


def page_file(name: str, dist: Path = DIST) -> bytes:
    """Bytes of a file of the page."""
    return (dist / name).read_bytes()
