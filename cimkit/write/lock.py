"""The lock on an output: one build at a time, and the name of its owner for all others.

The system frees the lock when its owner ends, however it ends. What the file says is only for
people; nothing is decided by it.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from cimkit.errors import StoreError

_COMMAND_LENGTH = 120
"""Characters of the owner's command that are shown."""

_LOCKED_BYTE = 1 << 30
"""What is locked on Windows: the same for all, and behind the text, which others may read."""


class Owner(NamedTuple):
    """Who holds a lock, or held it when it died.

    Attributes
    ----------
    pid : int
    host : str
    started : str
        Local time, ISO 8601.
    command : str
    """

    pid: int
    host: str
    started: str
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} on host {self.host} since {self.started} ({self.command})"


class Lock:
    """An exclusive lock that is a file.

    Parameters
    ----------
    path : Path
        Made when the lock is taken, removed when it is released.

    Attributes
    ----------
    abandoned : Owner or None
        Who held the lock last, if it ended without releasing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.abandoned: Owner | None = None
        self._file: IO[str] | None = None

    def take(self, what: Path) -> None:
        """Take the lock.

        Raises
        ------
        StoreError
            If another process holds it. It names that process, and `what` is locked.
        """
        while self._file is None:
            file = self.path.open("a+", encoding="utf-8")
            if not _lock(file):
                owner = _read_owner(file)
                file.close()
                raise StoreError(
                    f"{what}: locked by {owner or 'another build'}. Wait for it, or name "
                    "another folder."
                )
            if _is_at(file, self.path):
                self._file = file
            else:  # its owner removed it between our opening and locking: nobody else sees it
                file.close()
        self.abandoned = _read_owner(self._file)
        self._file.truncate(0)
        json.dump(_this_process()._asdict(), self._file)
        self._file.flush()

    def release(self) -> None:
        """Remove the file and free the lock."""
        if self._file is not None:
            with suppress(OSError):  # left behind (Windows) it locks nobody and names nobody
                self._file.truncate(0)
                self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


def _this_process() -> Owner:
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return Owner(os.getpid(), platform.node(), now, " ".join(sys.argv)[:_COMMAND_LENGTH])


def _read_owner(file: IO[str]) -> Owner | None:
    """What the file says; None where it is empty, or being written just now."""
    try:
        file.seek(0)
        return Owner(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None


def _lock(file: IO[str]) -> bool:
    """Lock a file; False if another process holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            at = os.lseek(file.fileno(), 0, os.SEEK_CUR)
            os.lseek(file.fileno(), _LOCKED_BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(file.fileno(), at, os.SEEK_SET)
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
