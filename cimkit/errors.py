"""The exceptions of cimkit, and the exit code that each one means on the command line.

::

    CimkitError(Exception)
    ├─ ParameterError(ValueError)   the caller passed nonsense                 exit 2
    ├─ InputError                   a file is wrong: .path .where .hint        exit 3
    │  ├─ FormatError               truncated, lying header, unknown version
    │  │  └─ UndecodedError         compressed by what is not installed
    │  ├─ EncodingError             text that cannot be decoded
    │  └─ CrsError                  coordinates missing a CRS, or in a wrong one
    ├─ TableError(ValueError)       an in-memory table breaks its own promise  exit 2
    ├─ LimitError                   larger than limits.py allows               exit 3
    ├─ StoreError                   output exists, lock held, disk full        exit 4
    └─ WorkerError                  a task kills its workers: .task            exit 5

A message says what is wrong, where, and what to do next. Trouble with one building, one
address or one point is no exception: it becomes a row of `cimkit.tables.Issue`.
"""

from __future__ import annotations

import signal


class CimkitError(Exception):
    """Root of all errors that cimkit raises on purpose."""

    exit_code = 1


class ParameterError(CimkitError, ValueError):
    """An argument is outside what the function accepts."""

    exit_code = 2


class TableError(CimkitError, ValueError):
    """The columns of a table contradict each other."""

    exit_code = 2


class InputError(CimkitError):
    """A file that was given cannot be used.

    Parameters
    ----------
    what : str
        What is wrong.
    path : str, optional
        The file.
    where : str, optional
        Layer, record, column or byte.
    hint : str, optional
        What to do next.

    Examples
    --------
    >>> print(FormatError("holds no points", path="a.laz", hint="Leave it out."))
    a.laz: holds no points. Leave it out.
    """

    exit_code = 3

    def __init__(self, what: str, *, path: str = "", where: str = "", hint: str = "") -> None:
        self.what, self.path, self.where, self.hint = what, str(path), where, hint
        place = ", ".join(part for part in (self.path, where) if part)
        text = f"{place}: {what}" if place else what
        super().__init__(f"{text.rstrip('.')}. {hint}".strip())

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.path, self.where, self.hint)


def _rebuild(kind: type[InputError], what: str, path: str, where: str, hint: str) -> InputError:
    """Make the error again on the other side of a process border."""
    return kind(what, path=path, where=where, hint=hint)


class FormatError(InputError):
    """The bytes are not what the format, the name or the header promises."""


class UndecodedError(FormatError):
    """The bytes are compressed, and their decoder is not installed."""


class EncodingError(InputError):
    """Text that no declared or usual encoding can read."""


class CrsError(InputError):
    """Coordinates without a coordinate reference system, or in another than stated."""


class LimitError(CimkitError):
    """An input is larger than a cap of `cimkit.limits`."""

    exit_code = 3


class StoreError(CimkitError):
    """The output cannot be written: it exists, is locked, or the disk is full."""

    exit_code = 4


class WorkerError(CimkitError):
    """A task killed the worker processes that ran it, again and again.

    Parameters
    ----------
    task : str
        Phase and name of the task.
    exit_code_of_worker : int, optional
        How the last process ended; below 0 a signal.
    """

    exit_code = 5

    def __init__(self, task: str, exit_code_of_worker: int | None = None) -> None:
        self.task, self.exit_code_of_worker = task, exit_code_of_worker
        super().__init__(
            f"{task}: three worker processes died of it ({_death(exit_code_of_worker)}). Look "
            "at that input, or leave it out."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return WorkerError, (self.task, self.exit_code_of_worker)


def _death(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None or code >= 0:
        return "a damaged file may have brought its decoder down, or memory has run out"
    name = signal.Signals(-code).name
    return {
        "SIGALRM": "it took longer than it may",
        "SIGPROF": "it took longer than it may",
        "SIGKILL": "the last was killed: memory has run out, or another program killed it",
        "SIGABRT": "the last gave up: native code met something impossible, or a memory limit",
        "SIGSEGV": "the last crashed in native code: the input is damaged",
    }.get(name, f"the last by {name}")
