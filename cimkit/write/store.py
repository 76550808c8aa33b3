"""The output folder: whole or not at all.

A build works in one staging folder beside the output: ``work`` holds finished parts
(`cimkit.write.partitions`), ``city`` the products. When these are complete, ``city`` and the
output are exchanged in one system call (Linux), so that a reader sees the old city or the new
one and never a mix; where the system has no such call, by two renames.

A build that ends early leaves its finished parts, and the next build of the same output takes
over those that it needs. They are found by what they were made from, not by the job, so it may
be a job with other parameters or other inputs.
"""

from __future__ import annotations

import ctypes
import errno
import gzip
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cimkit.errors import StoreError
from cimkit.write.faults import FORBIDDEN, FULL, TOO_MANY, advice_for
from cimkit.write.lock import Lock, Owner
from cimkit.write.partitions import RECORD, file_sha256

MANIFEST = "manifest.json"
"""Every city folder holds one; a folder without is not replaced."""

_DISK_ERRORS = FULL | FORBIDDEN | TOO_MANY | {errno.EIO, errno.EINTR}
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class Staging:
    """A folder that becomes the output by `commit`.

    Parameters
    ----------
    out : str or Path
        The output folder. A link stays; the folder that it names is written.
    overwrite : bool
        Replace a city that stands there.

    Attributes
    ----------
    abandoned : Owner or None
        The process that was building this output when it died.

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
    >>> sorted(os.listdir(f"{parent}/city")), os.listdir(parent)
    (['manifest.json'], ['city'])
    """

    def __init__(self, out: str | Path, *, overwrite: bool = False) -> None:
        self.out = Path(os.path.realpath(out))
        if not self.out.name:
            raise StoreError(f"{out}: is no place for a city. Name a folder in it.")
        self.folder = self._beside("staging")
        self.city, self._work = self.folder / "city", self.folder / "work"
        self._old = self._beside("old")
        self._overwrite, self._committed = overwrite, False
        self._lock = Lock(self._beside("lock"))

    def __enter__(self) -> Self:
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._lock.take(self.out)
            self._finish_commit()
            check_output(self.out, overwrite=self._overwrite)
            self._remove_strays()
            self._work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._lock.release()
            raise _disk_error(error, self.out) from error
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        n_parts = 0 if self._committed else self._n_parts()
        if not n_parts:
            _remove(self.folder)
        with suppress(OSError):
            self._finish_commit()
        self._lock.release()
        if error is None:
            return
        disk = isinstance(error, OSError) and error.errno in _DISK_ERRORS
        told: BaseException = error
        if isinstance(error, OSError) and disk:
            told = _disk_error(error, self.out, untouched=not self._committed)
        if self._committed:
            told.add_note(
                f"The new city stands in {self.out}, but what follows it was not finished: "
                "build it again with --overwrite."
            )
        if n_parts:
            told.add_note(
                f"{n_parts:,} finished parts are kept in {self.folder}: the next build of this "
                "city goes on from there. Delete that folder if there will be none."
            )
        if told is not error:
            raise told from error

    @property
    def abandoned(self) -> Owner | None:
        """Who was building this output when it died; None if the last build ended by itself."""
        return self._lock.abandoned

    def work(self, versions: str, kinds: Sequence[str]) -> Path:
        """The folder for parts of some kinds that these versions made; others are removed.

        Parameters
        ----------
        versions : str
            Fingerprint of the software: what another version made is never taken over.
        kinds : sequence of str
            Names of the folders that are made in it.
        """
        for stranger in self._work.iterdir():
            if stranger.name != versions:
                _remove(stranger)
        for kind in kinds:
            (self._work / versions / kind).mkdir(parents=True, exist_ok=True)
            for draft in (self._work / versions / kind).glob("*.part"):
                _remove(draft)
        return self._work / versions

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
        path = self.city / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, data: bytes) -> None:
        """Write one product."""
        self.path(name).write_bytes(data)

    def adopt(self, name: str, source: str | Path) -> None:
        """Make a file of a finished part a product; the part keeps it too."""
        target = self.path(name)
        if target.exists():  # tiles are named by their bytes: two may be one
            return
        try:
            os.link(source, target)
        except OSError:  # a file system without links
            shutil.copyfile(source, target)

    def compress(self, folder: str) -> None:
        """Put a gzip twin beside each product of a folder, for servers that send it so."""
        for file in sorted(self.path(folder).rglob("*")):
            if file.is_file() and file.suffix not in (".gz", ".3tz"):
                packed = gzip.compress(file.read_bytes(), compresslevel=9, mtime=0)
                file.with_name(f"{file.name}.gz").write_bytes(packed)

    def keep_unchanged(self, folder: str) -> dict[str, int]:
        """Take over from the output that stands what has the same bytes there.

        A file that is the same then stays the same on the disk too (one inode), so that whoever
        copies the output on need not copy it again.

        Returns
        -------
        dict of str to int
            Files that are ``new``, and those that were ``kept``.
        """
        counts = {"new": 0, "kept": 0}
        for file in sorted(self.path(folder).rglob("*")):
            if not file.is_file():
                continue
            old = self.out / file.relative_to(self.city)
            same = old.is_file() and not old.is_symlink() and _same_bytes(old, file)
            counts["kept" if same else "new"] += 1
            if same:
                with suppress(OSError):  # a file system without links keeps the new file
                    twin = file.with_name(f"{file.name}.kept")
                    os.link(old, twin)
                    twin.replace(file)
        return counts

    def clear(self) -> None:
        """Remove the products of an earlier build that did not come to its commit."""
        _remove(self.city)

    def sums(self) -> dict[str, dict[str, int | str]]:
        """Size and SHA-256 of each product, by its name in the folder, sorted."""
        files = sorted(p for p in self.city.rglob("*") if p.is_file())
        return {
            file.relative_to(self.city).as_posix(): {
                "bytes": file.stat().st_size,
                "sha256": file_sha256(file),
            }
            for file in files
        }

    def settle(self) -> None:
        """Force the products to the disk: the slow part of a commit, which may come before it.

        Raises
        ------
        StoreError
        """
        try:
            for path in (*self.city.rglob("*"), self.city):
                sync(path)
        except OSError as error:
            raise _disk_error(error, self.out) from error

    def commit(self) -> None:
        """Make the products the output. What stood there is removed last.

        Raises
        ------
        StoreError
            If something that must not be replaced came to stand there during the build.
        """
        self.settle()
        try:
            check_output(self.out, overwrite=self._overwrite)
            if not self.out.exists():
                self.city.rename(self.out)
            elif not _exchange(self.city, self.out):
                _remove(self._old)
                self.out.rename(self._old)
                self.city.rename(self.out)
        except OSError as error:
            raise _disk_error(error, self.out) from error
        self._committed = True
        with suppress(OSError):  # without it a power cut may bring the old city back, whole
            sync(self.out.parent)

    def _beside(self, kind: str) -> Path:
        return self.out.with_name(f".{self.out.name}.{kind}")

    def _finish_commit(self) -> None:
        """After an end between the two renames of `commit`: bring the old city back."""
        if self._old.is_dir() and not self._old.is_symlink() and not self.out.exists():
            self._old.rename(self.out)
        _remove(self._old)

    def _remove_strays(self) -> None:
        """Remove what stands where the staging folder should, and is none."""
        for path in (self.folder, self._work, self.city):
            if path.is_symlink() or path.is_file():
                path.unlink()

    def _n_parts(self) -> int:
        """Finished parts in the staging folder."""
        return sum(1 for _ in self._work.glob(f"*/*/*/{RECORD}"))


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


def _same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same."""
    return one.stat().st_size == other.stat().st_size and file_sha256(one) == file_sha256(other)


def _remove(path: Path) -> None:
    """Remove a folder as far as that is possible, a link without following it."""
    if path.is_symlink() or path.is_file():
        with suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def sync(path: Path) -> None:
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


def _disk_error(error: OSError, out: Path, *, untouched: bool = True) -> StoreError:
    """The error in words, with advice where there is some."""
    place, why = error.filename or out, error.strerror or error
    words = [f"{place}: cannot be written ({why}).", advice_for(error.errno)]
    if error.errno in FULL:
        with suppress(OSError):
            words.append(f"There are {shutil.disk_usage(out.parent).free:,} bytes free.")
    if untouched:
        words.append("What stood in the output folder is untouched.")
    return StoreError(" ".join(filter(None, words)))
