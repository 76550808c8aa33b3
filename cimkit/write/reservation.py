"""Which codes a build has reserved in the register, and whether a city with them was committed.

Reserved codes are never given to another building. But a build that died before its commit
showed its codes to nobody, and going on with it must give the same bytes as if it had not died:
it may use its own codes again. The register knows what belongs to whom; the note here, in the
staging folder, says who this is, and which codes nobody has seen. They count as unused only as
long as the very city that was to carry them still lies in staging.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cimkit.write.partitions import file_sha256
from cimkit.write.store import MANIFEST, Staging, sync

_NOTE = "codes.json"


class Noted(NamedTuple):
    """What a build knows of those before it that died.

    Attributes
    ----------
    owner : str
        Text for this output, as the register shall know it.
    codes : frozenset of str
        Codes that they were going to reserve, and never committed. Whether they came to do so
        the register knows: another city may have been quicker.
    is_unseen : bool
        Whether the city of the last of them never took its place.
    """

    owner: str
    codes: frozenset[str]
    is_unseen: bool


def read_note(staging: Staging, register: str) -> Noted:
    """The note that dead builds of this output have left for this register.

    Both functions take the identity of the register, never its address: notes are files, and
    an address may hold a password. To be asked before the products of a dead build are removed;
    they are the proof.
    """
    noted = _read(staging, register)
    _write(staging, register, noted)
    return noted


@contextmanager
def note_codes(
    staging: Staging, register: str, noted: Noted, codes: Collection[str]
) -> Iterator[None]:
    """Say which codes are reserved inside the block, for the city that lies in staging.

    If that fails, another city may have taken them first: the note is taken back.
    """
    more = noted._replace(codes=noted.codes.union(codes))
    _write(staging, register, more, manifest=file_sha256(staging.city / MANIFEST))
    try:
        yield
    except Exception:
        _write(staging, register, noted)
        raise


def _read(staging: Staging, register: str) -> Noted:
    # Other machines, which may share a register in a database, give the same path another name.
    where = f"{platform.node()} {staging.out}".encode("utf-8", "surrogateescape")
    owner = hashlib.blake2b(where, digest_size=16).hexdigest()
    try:
        note = json.loads((staging.folder / _NOTE).read_text(encoding="utf-8"))
        owner, codes = str(note["owner"]), frozenset(map(str, note["codes"]))
        # Without a manifest the note is of `read_note`: no city with them was ever complete.
        unseen = bool(note["unseen"])
        if "manifest" in note:
            unseen = note["manifest"] == file_sha256(staging.city / MANIFEST)
        mine = unseen and note["register"] == register
        return Noted(owner, codes if mine else frozenset(), unseen)
    except (OSError, ValueError, KeyError, TypeError):
        return Noted(owner, frozenset(), is_unseen=False)


def _write(staging: Staging, register: str, noted: Noted, **more: str) -> None:
    """Replace the note in one step, on disk before the register changes."""
    note: dict[str, Any] = {"register": register, "owner": noted.owner, **more}
    note["unseen"] = noted.is_unseen
    path = staging.folder / _NOTE
    draft = path.with_suffix(".part")
    text = json.dumps({**note, "codes": sorted(noted.codes)}, sort_keys=True)
    draft.write_text(text, encoding="utf-8")
    sync(draft)
    draft.replace(path)
    sync(path.parent)
