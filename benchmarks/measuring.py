"""CPU seconds of a call, and of a program with all its children."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Row(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    group, name : str
        Heading under which it stands, and what was measured.
    value : float
    unit : str
    ratio : float or None
        To what `against` names.
    against : str
    """

    group: str
    name: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""


def best_cpu_s(function: Callable[[], Any], repeats: int) -> float:
    """Least CPU seconds of several calls, after one that compiles and fills caches."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return max(min(seconds), 1e-9)


def program_cpu_s(code: str, *arguments: str, cache: str = "") -> tuple[float, str]:
    """CPU seconds of a Python program with all its children, and what it printed.

    `cache` is another folder for compiled kernels; the compiled modules of Python are kept, or
    every process would compile them anew where the environment forbids to write them.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir(), "cimkit-benchmarks"))
    if cache:
        environment["XDG_CACHE_HOME"] = cache
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "program.py")
        script.write_text(code)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, done.stdout


def print_table(rows: list[Row]) -> None:
    """One table, group by group."""
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            print(f"\n{group}")
        ratio = "" if row.ratio is None else f"{row.ratio:9.2f} x {row.against}"
        print(f"  {row.name:44}{row.value:12,.2f} {row.unit:8}{ratio}".rstrip())
