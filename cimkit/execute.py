"""Run tasks in worker processes.

Workers are spawned, never forked: a fork of a process with numba's threads hangs or breaks the
pool. A task runs in a process of its own kind, so that a native decoder brought down by a
damaged file costs a retry and not the run.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from cimkit.errors import WorkerError

Progress = Callable[[str, int, int], None]
"""Called with the name of the phase, tasks done and tasks in all."""


def silent(phase: str, done: int, total: int) -> None:
    """Progress that nobody sees."""


class _Process(SpawnProcess):
    """A spawned process that does not run the caller's script again.

    Python would do so to find functions that the script defines; ours are in cimkit. A GIS
    script without ``if __name__ == "__main__"`` would otherwise start itself over and over.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802  (multiprocessing's name)
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            return SpawnProcess._Popen(process_obj)
        finally:
            sys.modules["__main__"] = script


class _Spawn(SpawnContext):
    Process = _Process


class Workers:
    """A pool of spawned processes that survives the death of one of them.

    Parameters
    ----------
    n : int
        Processes; 0 takes all cores.
    progress : callable, optional
    """

    def __init__(self, n: int = 0, progress: Progress = silent) -> None:
        self.n = n or os.cpu_count() or 1
        self.progress = progress
        self._pool: ProcessPoolExecutor | None = None

    def run(
        self, phase: str, function: Callable[[Any], Any], tasks: Mapping[str, Any]
    ) -> Iterator[Any]:
        """Yield the results of ``function(task)`` in the order of the tasks.

        Parameters
        ----------
        phase : str
            For the progress.
        function : callable
            At the top of a module, so that it can be sent to a process.
        tasks : mapping of str to object
            Name of each task and its argument.

        Raises
        ------
        WorkerError
            If a process dies in the same task twice. It names the task.
        """
        results: dict[str, Any] = {}
        names = list(tasks)
        dead = self._run_together(phase, function, tasks, results)
        for name in dead:  # alone: another death cannot be blamed on a neighbour
            self._start_again()
            try:
                results[name] = self._started().submit(function, tasks[name]).result()
            except BrokenProcessPool as error:
                raise WorkerError(f"{phase} {name}") from error
            self.progress(phase, len(results), len(names))
        for name in names:
            yield results.pop(name)

    def close(self) -> None:
        """End the processes; tasks that have not begun are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _run_together(
        self,
        phase: str,
        function: Callable[[Any], Any],
        tasks: Mapping[str, Any],
        results: dict[str, Any],
    ) -> list[str]:
        """Run all tasks in one pool; returns the names of those that it did not survive."""
        futures = {self._started().submit(function, task): name for name, task in tasks.items()}
        dead: set[str] = set()
        for future in as_completed(futures):
            name = futures[future]
            try:
                results[name] = future.result()
            except BrokenProcessPool:
                dead.add(name)
            self.progress(phase, len(results), len(tasks))
        return [name for name in tasks if name in dead]

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.n, mp_context=_Spawn())
        return self._pool

    def _start_again(self) -> None:
        self.close()


@contextmanager
def started(n: int, progress: Progress = silent) -> Iterator[Workers]:
    """Workers that are ended when the block is left."""
    workers = Workers(n, progress)
    try:
        yield workers
    finally:
        workers.close()


class Clock:
    """CPU and wall seconds of the phases, of this process and of its workers together."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()
        self.phases: dict[str, dict[str, float]] = {}

    def lap(self, phase: str) -> None:
        """End of a phase. CPU of workers shows only when they have ended."""
        wall, cpu = time.perf_counter(), _cpu_seconds()
        self.phases[phase] = {"wall_s": wall - self._wall, "own_cpu_s": cpu - self._cpu}
        self._wall, self._cpu = wall, cpu

    def as_json(self, workers: int, block_size: float) -> bytes:
        """For run.json: the only file that differs from run to run."""
        facts = {
            "phases": self.phases,
            "workers": workers,
            "block_size": block_size,
            "peak_memory_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "peak_memory_worker_kb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
            "python": platform.python_version(),
        }
        return json.dumps(facts, indent=1).encode() + b"\n"


def _cpu_seconds() -> float:
    """CPU of this process and of its ended children."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
