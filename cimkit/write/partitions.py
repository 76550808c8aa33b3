"""Finished parts of a build that a later build may take over.

A part is a folder that one task wrote: files, and a record of their sizes, their sums and the
task's result. Its name is the fingerprint of everything that the result depends on. A folder
gets that name by one rename when it is complete, and it is believed only where record and bytes
agree. So a part of a killed build, of other inputs or on a failing disk is never taken for
another, and a worker that outlives its build can only leave what the next would write as well.

Parts are not forced to the disk: after a power cut some may be short or empty, which their sums
tell, and are made again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.resources
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cimkit.write.packing import Kinds, fingerprint, pack, unpack

RECORD = "done.json"


class Part(NamedTuple):
    """A finished part.

    Attributes
    ----------
    folder : str
    sums : dict of str to str
        SHA-256 of each file in the folder.
    result : object
        What the task returned.
    reused : bool
        Whether an earlier build made it.
    """

    folder: str
    sums: dict[str, str]
    result: Any
    reused: bool


def keep(folder: str | Path, depends_on: Any, make: Callable[[str], Any], kinds: Kinds) -> Part:
    """The part that stands in a folder, or else a new one.

    Parameters
    ----------
    folder : str or Path
        Where parts of this kind lie; must exist.
    depends_on : object
        All that the result depends on, as `cimkit.write.packing.pack` takes it.
    make : callable
        Writes files into the folder that it is given, and returns the result.
    kinds : mapping of str to class
        Classes in the result.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> def make(part):
    ...     return Path(part, "a.txt").write_bytes(b"abc")
    >>> keep(folder, "abc", make, {}).reused, keep(folder, "abc", make, {})[2:]
    (False, (3, True))
    """
    final = Path(folder, fingerprint(depends_on)[:32])
    found = read_part(final, kinds)
    if found is not None:
        return found
    draft = final.with_name(f"{final.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    draft.mkdir()  # not its parents: a removed work folder must not come back
    try:
        result = make(str(draft))
    except Exception:  # a full disk needs the place
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sums = {path.name: file_sha256(path) for path in sorted(draft.iterdir())}
    sizes = {name: (draft / name).stat().st_size for name in sums}
    body = pack((sizes, sums, result))
    (draft / RECORD).write_text(f"{_sha256(body)}\n{body}", encoding="utf-8")
    if read_part(final, kinds) is None:
        shutil.rmtree(final, ignore_errors=True)
    try:
        draft.rename(final)
    except OSError:  # a twin was faster: two equal files, or a worker of a killed build
        if read_part(final, kinds) is None:
            raise
        shutil.rmtree(draft, ignore_errors=True)
    return Part(str(final), sums, result, reused=False)


def read_part(folder: Path, kinds: Kinds) -> Part | None:
    """A part whose record and bytes agree; None for any other folder, or none."""
    try:
        head, _, body = (folder / RECORD).read_text(encoding="utf-8").partition("\n")
        if head != _sha256(body):
            return None
        sizes, sums, result = unpack(body, kinds)
        for name, size in sizes.items():
            path = folder / name
            if path.stat().st_size != size or file_sha256(path) != sums[name]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Part(str(folder), sums, result, reused=True)


def software_fingerprint(libraries: Sequence[str]) -> str:
    """Fingerprint of the versions of libraries and of the source of cimkit itself.

    The source too, because its version does not change while it is being worked on.
    """
    home = Path(str(importlib.resources.files("cimkit")))
    sources = [
        (path.relative_to(home).as_posix(), file_sha256(path))
        for path in sorted(home.rglob("*.py"))
    ]
    versions = [(name, importlib.metadata.version(name)) for name in libraries]
    return fingerprint((sources, versions))[:16]


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
