"""What goes wrong on a disk, as one kind of error."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cimkit.errors import StoreError

FULL = {errno.ENOSPC, errno.EDQUOT, None}
"""None: a short write of NumPy or GDAL comes without a number."""

FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}

TOO_MANY = {errno.EMFILE, errno.ENFILE}


def advice_for(number: int | None) -> str:
    """What to do about the error with this number; "" where nobody knows.

    Examples
    --------
    >>> advice_for(errno.ENOSPC), advice_for(errno.ENOENT)
    ('Free space or choose another disk.', '')
    """
    if number in FULL:
        return "Free space or choose another disk."
    if number in FORBIDDEN:
        return "Look at the permissions or choose another folder."
    if number in TOO_MANY:
        return "Let a process open more files (ulimit -n 4096)."
    return ""


@contextmanager
def disk_faults(path: str | Path, *kinds: type[Exception]) -> Iterator[None]:
    """Raise what keeps a file from being written as a `StoreError`.

    Parameters
    ----------
    path : str or Path
        For the message.
    kinds : exception classes
        Those by which a library says so, besides `OSError`.

    Raises
    ------
    StoreError

    Examples
    --------
    >>> with disk_faults("city.gpkg", RuntimeError):
    ...     raise RuntimeError("disk is full")
    Traceback (most recent call last):
    cimkit.errors.StoreError: city.gpkg: cannot be written (disk is full). Free space or ...
    """
    caught: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except caught as error:
        # rasterio keeps what GDAL said one level below.
        why = getattr(error, "strerror", None) or error.__cause__ or error
        advice = advice_for(getattr(error, "errno", None))
        raise StoreError(f"{path}: cannot be written ({why}). {advice}".rstrip()) from error
