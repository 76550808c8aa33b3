"""A tileset in one file: 3TZ, a zip whose last entry is an index by the hashes of the names."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from pathlib import Path

INDEX = "@3dtilesIndex1@"
"""Name of the last entry (3TZ specification 1.3)."""

CLOCK = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip knows: the same tiles must give the same bytes."""


_LEFT_OUT = (".3tz", ".gz")
"""The package itself, and twins of what is in it."""


def pack_archive(folder: str | Path, out: str | Path) -> int:
    """Pack all files of a tileset.

    Parameters
    ----------
    folder : path
        That holds ``tileset.json``.
    out : path
        File to write, by custom ``.3tz``; it may lie in the folder.

    Returns
    -------
    int
        Number of files.

    Notes
    -----
    Entries are stored, not deflated, so that a client can map them. The index holds, for each,
    the MD5 of its name and the place of its header, sorted by the two little-endian halves of
    the hash.

    Examples
    --------
    >>> import tempfile
    >>> home = Path(tempfile.mkdtemp())
    >>> (home / "tiles").mkdir()
    >>> _ = (home / "tiles" / "tileset.json").write_bytes(b"{}")
    >>> pack_archive(home / "tiles", home / "tiles.3tz")
    1
    >>> zipfile.ZipFile(home / "tiles.3tz").namelist()
    ['tileset.json', '@3dtilesIndex1@']
    """
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in _LEFT_OUT)
    places = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            name = path.relative_to(folder).as_posix()
            place = archive.fp.tell() if archive.fp else 0
            archive.writestr(zipfile.ZipInfo(name, CLOCK), path.read_bytes())
            digest = hashlib.md5(name.encode(), usedforsecurity=False).digest()
            places.append((*struct.unpack("<QQ", digest), place))
        index = b"".join(struct.pack("<3Q", *row) for row in sorted(places))
        archive.writestr(zipfile.ZipInfo(INDEX, CLOCK), index)
    return len(files)
