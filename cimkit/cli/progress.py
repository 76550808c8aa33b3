"""Progress on stderr, only where a person looks at it."""

from __future__ import annotations

import sys
import time


class Lines:
    """One line on a terminal that is written over; silent elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._start = time.monotonic()

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show that `done` of `total` tasks of a phase are finished."""
        if self._shown:
            seconds = time.monotonic() - self._start
            end = "\n" if done == total else ""
            print(
                f"\r{phase:8} {done:>6} / {total}  {seconds:6.1f} s", end=end, file=sys.stderr
            )
