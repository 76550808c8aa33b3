"""The output folder: whole or not at all.

Everything is written into a staging folder beside the output. When it is complete, the two are
exchanged in one system call (Linux), so that a reader sees the old city or the new one and
never a mix; where the system has no such call, by two renames.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cimkit.errors import StoreError
from cimkit.write.faults import FORBIDDEN, FULL, advice_for

MANIFEST = "manifest.json"
"""Every city folder holds one; a folder without is not replaced."""

_DISK_ERRORS = FULL | FORBIDDEN | {errno.EIO}
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class Staging:
    """A folder that becomes the output by `commit`, or is removed.

    Parameters
    ----------
    out : str or Path
        The output folder. A link stays; the folder that it names is written.
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
        self.out = Path(os.path.realpath(out))
        # A worker of a killed build may write on for a moment, but not into the next build.
        build = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.folder = self._beside(f"staging-{build}")
        self.work = self._beside(f"work-{build}")
        self._old = self._beside("old")
        self._overwrite = overwrite
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._finish_commit()
            check_output(self.out, overwrite=self._overwrite)
            self._remove_stale()
            self.folder.mkdir()
            self.work.mkdir()
        except OSError as error:
            self._release()
            raise _disk_error(error, self.out) from error
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _remove(self.folder)
        _remove(self.work)
        with suppress(OSError):
            self._finish_commit()
        self._release()
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise _disk_error(error, self.out) from error

    def keep_out(self, path: str | Path) -> None:
        """Refuse a file inside the output folder: the commit would remove it.

        Raises
        ------
        StoreError
        """
        if Path(os.path.realpath(path)).is_relative_to(self.out):
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
        """Make the staging folder the output. What stood there is removed last.

        Raises
        ------
        StoreError
            If something that must not be replaced came to stand there during the build.
        """
        try:
            for path in (*self.folder.rglob("*"), self.folder):
                _sync(path)
            check_output(self.out, overwrite=self._overwrite)
            if not self.out.exists():
                self.folder.rename(self.out)
            elif not _exchange(self.folder, self.out):
                _remove(self._old)
                self.out.rename(self._old)
                self.folder.rename(self.out)
        except OSError as error:
            raise _disk_error(error, self.out) from error
        _sync(self.out.parent)

    def _beside(self, kind: str) -> Path:
        return self.out.with_name(f".{self.out.name}.{kind}")

    def _finish_commit(self) -> None:
        """After an end between the two renames of `commit`: bring the old city back."""
        if self._old.is_dir() and not self._old.is_symlink() and not self.out.exists():
            self._old.rename(self.out)
        _remove(self._old)

    def _remove_stale(self) -> None:
        """Remove what killed builds of this output left; the lock is held."""
        name = re.compile(rf"\.{re.escape(self.out.name)}\.(staging|work)-\d+-[0-9a-f]{{8}}")
        for path in list(self.out.parent.iterdir()):
            if name.fullmatch(path.name):
                _remove(path)

    def _take_lock(self) -> None:
        """Keep a lock file open; the system frees it when the process ends, however it ends."""
        path = self._beside("lock")
        while self._lock is None:
            file = path.open("a")
            if not _lock(file):
                file.close()
                raise StoreError(
                    f"{self.out}: another build is writing it. Wait for it, or name another "
                    "folder."
                )
            if _is_at(file, path):
                self._lock = file
            else:  # its owner removed it between our opening and locking: nobody else sees it
                file.close()

    def _release(self) -> None:
        if self._lock is not None:
            with suppress(PermissionError):  # Windows keeps an open file
                self._beside("lock").unlink(missing_ok=True)
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


def _lock(file: IO[str]) -> bool:
    """Lock a file; False if another process holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is the one that the path names."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    """Remove a folder as far as that is possible, a link without following it."""
    if path.is_symlink() or path.is_file():
        with suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    """Force a file or folder to the disk."""
    if sys.platform == "win32":  # it syncs only what is open for writing, and no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems sync no folders
            raise
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
    """The error in words, with advice where there is some."""
    place, why = error.filename or out, error.strerror or error
    words = f"{place}: cannot be written ({why}).", advice_for(error.errno)
    untouched = "What stood in the output folder is untouched."
    return StoreError(" ".join(filter(None, (*words, untouched))))
