"""Fingerprints that came with the data: the only complete answer to damaged clouds.

LAS and LAZ hold no checksum of their own. Who delivers clouds often adds a list that the tool
``sha256sum`` has written; it is read here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from cimkit.errors import FormatError

_LINE = re.compile(r"(\\?)([0-9a-fA-F]{64}) [ *](.+)")
_ESCAPED = re.compile(r"\\([\\nr])")
_MEANT = {"\\": "\\", "n": "\n", "r": "\r"}


def check_sums(sums: str | Path, files: Iterable[Path]) -> None:
    """Hold files against a list of their SHA-256 fingerprints.

    Parameters
    ----------
    sums : str or Path
        As ``sha256sum FILE... > sums`` writes it: a fingerprint and a name a line. Names are
        relative to the folder of the list.
    files : iterable of Path
        Each must be in the list; the list may hold more.

    Raises
    ------
    FormatError
        If a file is missing in the list or has another fingerprint, or if the list is none.
    """
    sums = Path(sums)
    expected = _read_sums(sums)
    for file in files:
        known = expected.get(file.resolve())
        if known is None:
            raise FormatError(
                f"says nothing about {file}",
                path=str(sums),
                hint="Add its line (sha256sum FILE), or leave the file out.",
            )
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != known:
            raise FormatError(
                f"its bytes are not those of {sums.name}: SHA-256 {found[:12]}..., "
                f"not {known[:12]}...",
                path=str(file),
                hint="The file is damaged: copy it again from its source.",
            )


def _read_sums(sums: Path) -> dict[Path, str]:
    """Fingerprint of each file in the list."""
    try:
        lines = sums.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"cannot be read ({error})", path=str(sums), hint="Check sha256sums."
        ) from error
    expected = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise FormatError(
                "is no list of SHA-256 fingerprints",
                path=str(sums),
                where=f"line {number}",
                hint="Write it with: sha256sum FILE...",
            )
        escaped, digest, name = found.groups()
        if escaped:
            name = _ESCAPED.sub(lambda match: _MEANT[match[1]], name)
        expected[(sums.parent / name).resolve()] = digest.lower()
    return expected
