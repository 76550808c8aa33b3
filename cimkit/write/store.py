"""The output folder: whole or not at all.

Everything is written into a staging folder beside the output. When it is complete, the two are
exchanged in one system call (Linux), so that a reader sees the old city or the new one and
never a mix; where the system has no such call, by two renames.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cimkit.errors import StoreError

MANIFEST = "manifest.json"
"""Every city folder holds one; a folder without is not replaced."""

_DISK_ERRORS = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class Staging:
    """A folder that becomes the output by `commit`, or is removed.

    Parameters
    ----------
    out : str or Path
        The output folder.
    overwrite : bool
        Replace a city that stands there.

    Raises
    ------
    StoreError
        If `out` exists (without `overwrite`), is no city, or another build is writing it.

    Examples
    --------
    >>> import tempfile
    >>> parent = tempfile.mkdtemp()
    >>> with Staging(f"{parent}/city") as staging:
    ...     staging.write("manifest.json", b"{}")
    ...     staging.commit()
    >>> sorted(os.listdir(f"{parent}/city"))
    ['manifest.json']
    """

    def __init__(self, out: str | Path, *, overwrite: bool = False) -> None:
        self.out = Path(os.path.abspath(out))  # noqa: PTH100  (resolve() would follow a link)
        self.folder = self.out.with_name(f".{self.out.name}.staging")
        self.work = self.out.with_name(f".{self.out.name}.work")
        self._old = self.out.with_name(f".{self.out.name}.old")
        self._overwrite = overwrite
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        check_output(self.out, overwrite=self._overwrite)
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._finish_commit()
            for folder in (self.folder, self.work):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
        except OSError as error:
            self._release()
            raise _disk_error(error, self.out) from error
        except StoreError:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)
        self._release()
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise _disk_error(error, self.out) from error

    def keep_out(self, path: str | Path) -> None:
        """Refuse a file inside the output folder: the commit would remove it.

        Raises
        ------
        StoreError
        """
        if Path(os.path.abspath(path)).is_relative_to(self.out):  # noqa: PTH100
            raise StoreError(
                f"{path}: lies inside the city folder, which is replaced as a whole. Keep the "
                "register beside it."
            )

    def path(self, name: str) -> Path:
        """Where a product is written; folders on the way are made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, data: bytes) -> None:
        """Write one product."""
        self.path(name).write_bytes(data)

    def sums(self) -> dict[str, dict[str, int | str]]:
        """Size and SHA-256 of each product, by its name in the folder, sorted."""
        files = sorted(p for p in self.folder.rglob("*") if p.is_file())
        return {
            file.relative_to(self.folder).as_posix(): {
                "bytes": file.stat().st_size,
                "sha256": file_sha256(file),
            }
            for file in files
        }

    def commit(self) -> None:
        """Make the staging folder the output. What stood there is removed last."""
        for file in self.folder.rglob("*"):
            if file.is_file():
                _sync(file)
        if not self.out.exists():
            self.folder.rename(self.out)
        elif not _exchange(self.folder, self.out):
            shutil.rmtree(self._old, ignore_errors=True)
            self.out.rename(self._old)
            self.folder.rename(self.out)
            shutil.rmtree(self._old)
        _sync(self.out.parent)

    def _finish_commit(self) -> None:
        """After a death between the two renames of `commit`: bring the old city back."""
        if self._old.exists() and not self.out.exists():
            self._old.rename(self.out)
            check_output(self.out, overwrite=self._overwrite)
        shutil.rmtree(self._old, ignore_errors=True)

    def _take_lock(self) -> None:
        """Keep a lock file open; the system frees it when the process ends, however it ends."""
        path = self.out.with_name(f".{self.out.name}.lock")
        self._lock = path.open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            self._lock = None
            raise StoreError(
                f"{self.out}: another build is writing it. Wait for it, or name another folder."
            ) from error

    def _release(self) -> None:
        if self._lock is not None:
            self.out.with_name(f".{self.out.name}.lock").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None


def check_output(out: str | Path, *, overwrite: bool) -> None:
    """Refuse an output folder that must not be replaced.

    Raises
    ------
    StoreError
        If it holds something else than a city, or a city and `overwrite` is off.
    """
    out = Path(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not overwrite:
        raise StoreError(
            f"{out}: exists already. Name another folder, or replace the city there with "
            "--overwrite."
        )
    if not (out / MANIFEST).is_file():
        raise StoreError(
            f"{out}: is not a city of cimkit (it holds no {MANIFEST}) and is not replaced. "
            "Name another folder."
        )


def write_file(folder: str | Path, name: str, data: bytes) -> None:
    """Write bytes into a folder, which is made if needed."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, name).write_bytes(data)


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Force a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _disk_error(error: OSError, out: Path) -> StoreError:
    place = error.filename or out
    return StoreError(
        f"{place}: cannot be written ({error.strerror}). Free space or choose another disk; "
        "what stood in the output folder is untouched."
    )
