"""Progress on stderr, for a person who looks at it; elsewhere only what makes one wait long."""

from __future__ import annotations

import sys
import time

ANNOUNCED = {
    "compile": "compiling the kernels, once for these sources on this machine: minutes",
}
"""Said when a phase begins, also in a log."""


class Lines:
    """One line on a terminal that is written over; elsewhere only what is announced."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._start = time.monotonic()

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show that `done` of `total` tasks of a phase are finished; it begins with none."""
        if done == 0 and phase in ANNOUNCED:
            print(ANNOUNCED[phase], file=sys.stderr, flush=True)
        if self._shown:
            seconds = time.monotonic() - self._start
            end = "\n" if done == total else ""
            print(
                f"\r{phase:8} {done:>6} / {total}  {seconds:6.1f} s",
                end=end,
                file=sys.stderr,
                flush=True,
            )
