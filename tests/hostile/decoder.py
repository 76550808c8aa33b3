"""A child that decodes files which may bring it down, and a parent that outlives it."""

from __future__ import annotations

import os
import resource
import selectors
import subprocess
import sys
from pathlib import Path
from typing import Self

import numpy as np

from cimkit.errors import CimkitError
from cimkit.read.cloud_crs import check_cloud_crs
from cimkit.read.las_header import probe_las
from cimkit.read.points import iterate_points, read_points
from cimkit.tables import PointCloud
from tests.hostile.clouds import CRS, STEP_M

ROOT = Path(__file__).resolve().parents[2]

MEMORY_BYTES = 4 * 2**30
SECONDS = 60.0
"""More than any file of the corpus needs, a hundred times over: what takes longer hangs."""


class Decoder:
    """Decodes one file after the other in a process of its own, started anew when it dies.

    Each answer is one line:

    ``same``, ``close``, ``wrong``
        Read; compared with the sound file. Close are coordinates within one step of the scale.
    ``read N points``
        Another number of points than in the sound file.
    ``refused CLASS STAGE``, ``other CLASS STAGE``
        An error of cimkit, or another one, in ``probe``, ``crs`` or ``decode``.
    ``died CODE``, ``hangs``
        The child is gone.
    """

    def __init__(self, sound: Path, crs: str = CRS) -> None:
        self.sound, self.crs = sound, crs
        self.starts = 0
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, path: Path) -> str:
        """What becomes of this file."""
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{path}\n".encode())
        child.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            if not selector.select(SECONDS):
                self._end()
                return "hangs"
        line = child.stdout.readline().decode().strip()
        if line:
            return line
        code = child.wait()
        self._end()
        return f"died {code}"

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.decoder", str(self.sound), self.crs],
            cwd=ROOT,
            env={**os.environ, "PYTHONFAULTHANDLER": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def answer(path: str, sound: PointCloud, crs: str) -> str:
    """The answer for one file; runs in the child."""
    stage, parts = "probe", []
    try:
        header = probe_las(path)
        stage = "crs"
        check_cloud_crs(header, crs)
        stage = "decode"
        parts = list(iterate_points(header))
    except CimkitError as error:
        return f"refused {type(error).__name__} {stage}"
    except BaseException as error:
        return f"other {type(error).__name__} {stage}"
    return compare(parts, sound)


def compare(parts: list[PointCloud], sound: PointCloud) -> str:
    """How far the points differ from those of the sound file."""
    columns = ("x", "y", "z", "classification")
    found = [np.concatenate([getattr(part, c) for part in parts] or [[]]) for c in columns]
    true = [getattr(sound, column) for column in columns]
    if len(found[0]) != len(sound):
        return f"read {len(found[0])} points"
    if not np.array_equal(found[3], true[3]):
        return "wrong"
    off = max(np.abs(a - b).max() for a, b in zip(found[:3], true[:3], strict=True))
    return "same" if off == 0 else "close" if off <= STEP_M else "wrong"


def main() -> None:
    """Answer until the parent closes the pipe."""
    sound = read_points(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a decoder prints is no answer
    for line in sys.stdin:
        answers.write(answer(line.rstrip("\n"), sound, sys.argv[2]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
