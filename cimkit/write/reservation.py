"""Which codes a build has reserved in the register, and whether a city with them was committed.

Reserved codes are never given to another building. But a build that died before its commit
showed its codes to nobody, and going on with it must give the same bytes as if it had not died:
it may use its own codes again. The note here, in the staging folder, says which these are. They
count as unused only as long as the very city that was to carry them still lies in staging.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cimkit.write.partitions import file_sha256
from cimkit.write.store import MANIFEST, Staging, sync

_NOTE = "codes.json"


def unused_codes(staging: Staging, register: str) -> dict[str, str]:
    """Codes that a dead build of this output noted for this register, and never committed.

    Each with the mark of the building that it was for. Whether the build came to reserve them
    the note cannot know: another may have been quicker, and given them to buildings of its own,
    which the marks tell.

    Both functions take the identity of the register, never its address: notes are files, and
    an address may hold a password. To be asked before the products of that build are removed;
    they are the proof.
    """
    codes = _uncommitted(staging, register)
    _write(staging.folder / _NOTE, {"register": register, "codes": codes})
    return codes


@contextmanager
def note_codes(
    staging: Staging, register: str, codes: dict[str, str], unused: dict[str, str]
) -> Iterator[None]:
    """Say which codes are reserved inside the block, for the city that lies in staging.

    If that fails, another city may have taken them first: the note is taken back.
    """
    manifest = file_sha256(staging.city / MANIFEST)
    note = {"register": register, "codes": {**unused, **codes}, "manifest": manifest}
    _write(staging.folder / _NOTE, note)
    try:
        yield
    except Exception:
        _write(staging.folder / _NOTE, {**note, "codes": unused})
        raise


def _uncommitted(staging: Staging, register: str) -> dict[str, str]:
    try:
        note = json.loads((staging.folder / _NOTE).read_text(encoding="utf-8"))
        if note["register"] != register:
            return {}
        # Without a manifest the note is of `unused_codes`: no city with them was ever complete.
        if "manifest" in note and note["manifest"] != file_sha256(staging.city / MANIFEST):
            return {}
        return {str(code): str(mark) for code, mark in note["codes"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(path: Path, note: dict[str, Any]) -> None:
    """Replace the note in one step, on disk before the register changes."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(note, sort_keys=True), encoding="utf-8")
    sync(draft)
    draft.replace(path)
    sync(path.parent)
