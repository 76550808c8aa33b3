"""What goes wrong on a disk, as one kind of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cimkit.errors import StoreError


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
        raise StoreError(
            f"{path}: cannot be written ({why}). Free space or choose another disk."
        ) from error
