"""What a person sees: text that cannot act on the terminal, errors as one line."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from cimkit.errors import CimkitError

EXIT_DISK, EXIT_FAULT, EXIT_INTERRUPTED, EXIT_PIPE = 4, 70, 130, 141


@contextmanager
def explained() -> Iterator[None]:
    """Turn what goes wrong inside into one line on stderr and an exit code.

    Around each command and around typer: inside a command, typer itself would catch an
    interrupt and a closed pipe.
    """
    try:
        try:
            yield
        finally:
            _flush()
    except CimkitError as error:
        complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as error:
        _say("interrupted; no city was left half written")
        _say_notes(error)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.exit(EXIT_PIPE)
    except OSError as error:
        complain(error)
        sys.exit(EXIT_DISK)
    except typer.Exit:
        raise
    except Exception as error:
        complain(error)
        _say("this is a fault of cimkit; `cimkit --debug COMMAND ...` shows where")
        sys.exit(EXIT_FAULT)


def complain(error: Exception) -> None:
    """One line on stderr; with ``--debug`` the traceback above it."""
    if "--debug" in sys.argv:
        traceback.print_exception(error)
    _say(f"{type(error).__name__}: {error}")
    _say_notes(error)


def _say_notes(error: BaseException) -> None:
    """What is worth knowing besides, such as what was kept of a build."""
    for note in getattr(error, "__notes__", ()):
        _say(note)


def plain(text: str) -> str:
    r"""Text in which control characters are written out, as in ``repr``.

    Examples
    --------
    >>> print(plain("建筑\x1b[2J\n"))
    建筑\x1b[2J\n
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def print_json(value: Any) -> None:
    """JSON on stdout, in ASCII: valid whatever the encoding of the terminal or the pipe."""
    print(json.dumps(value, indent=1, allow_nan=False))


def _flush() -> None:
    """Let a full disk or a closed pipe show now: at the exit it would be a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _say(text: str) -> None:
    """One line on stderr, over a line of progress that stands there."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{clear}cimkit: {plain(text)}", file=sys.stderr)
