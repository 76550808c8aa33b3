"""Run ``cimkit build`` and die at a chosen moment: python dying_build.py HOW N ARGUMENTS...

HOW is what to do at the N-th step, counted from 1: ``kill`` (SIGKILL), or the name of an errno,
which that step then raises. Steps are all calls of the parent process that change a file or a
folder, and the ends of the phases of a build. The exit code is 99 where the build has fewer
than N steps.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

WRITING = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link"}
"""Events of Python's audit hooks besides ``open`` for writing."""


class Steps:
    """Counts steps and acts at one of them."""

    def __init__(self, how: str, at: int, folder: str) -> None:
        self.how, self.at, self.folder, self.n = how, at, folder, 0

    def step(self, what: str) -> None:
        self.n += 1
        if self.n != self.at:
            return
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self.how)
        raise OSError(number, os.strerror(number), what)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        path = str(arguments[0]) if arguments else ""
        writes = event in WRITING or (event == "open" and _for_writing(arguments))
        if writes and path.startswith(self.folder):
            self.step(path)


def _for_writing(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def main() -> None:
    how, at, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    sys.argv = ["cimkit", "build", *arguments]
    from cimkit import cli, execute
    from cimkit.write import reservation, store

    steps = Steps(how, at, os.path.dirname(os.path.realpath(arguments[0])))

    def stepping(name: str, function: Any) -> Any:
        def stepped(*values: Any, **keys: Any) -> Any:
            result = function(*values, **keys)
            steps.step(name)
            return result

        return stepped

    execute.Clock.lap = stepping("lap", execute.Clock.lap)  # type: ignore[method-assign]
    for room in (store, reservation):
        setattr(room, "sync", stepping("fsync", getattr(room, "sync")))  # noqa: B009, B010
    store._exchange = stepping("exchange", store._exchange)
    sys.addaudithook(steps.audit)
    code = 0
    try:
        cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    sys.exit(99 if steps.n < at and code in (0, 1) else code)


if __name__ == "__main__":
    main()
