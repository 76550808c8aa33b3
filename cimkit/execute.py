"""Run tasks in worker processes.

Workers are spawned, never forked: a fork of a process with numba's threads hangs or breaks the
pool. A native decoder brought down by a damaged file costs a retry and not the run: what a
death took with it runs again, each task alone in a process of its own, and a task that has
killed `DEATHS_MAX` processes is poison. No worker outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain
from multiprocessing import connection, parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import FrameType, ModuleType
from typing import Any, NamedTuple, TypeGuard

from cimkit.errors import CimkitError, WorkerError

Progress = Callable[[str, int, int], None]
"""Called with the name of the phase, tasks done and tasks in all; with 0 done as it begins."""


_Outcome = Future[tuple[float, int, Any]]
"""CPU seconds of a task, peak memory of its process in KB, and its result; or its error."""

DEATHS_MAX = 3
"""Processes that a task may kill before it is poison; the first death may be a neighbour's."""

_BROKEN_CHECK_S = 1.0
"""Seconds after which a silent pool is asked whether it is broken."""

_SUBMITTED_PER_WORKER = 2
"""One runs and one waits: no worker idles, and few arguments are in memory at once."""


class Limits(NamedTuple):
    """What a task may take; beyond it the system ends its process.

    Attributes
    ----------
    cpu_s, wall_s : float
        Seconds of work, and from begin to end. The first is the one to set by what a task
        should need: on a busy machine it takes the same.
    memory_bytes : int
        Address space beyond what the process has when the task begins. Not kept on macOS.
    """

    cpu_s: float
    wall_s: float
    memory_bytes: int


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

    Attributes
    ----------
    cpu_s : dict of str to float
        CPU seconds that the workers have spent on each phase.
    peak_memory_kb : int
        Most memory that one of them has had.
    """

    def __init__(self, n: int = 0, progress: Progress = silent) -> None:
        self.n = n or os.cpu_count() or 1
        self.progress = progress
        self.cpu_s: dict[str, float] = {}
        self.peak_memory_kb = 0
        self._pool: ProcessPoolExecutor | None = None

    def run(
        self,
        phase: str,
        function: Callable[[Any], Any],
        tasks: Mapping[str, Any],
        *,
        limits: Callable[[Any], Limits] | None = None,
        set_aside: dict[str, Exception] | None = None,
        forgiven: tuple[type[CimkitError], ...] = (),
    ) -> Iterator[Any]:
        """Yield the results of ``function(task)`` in the order of the tasks.

        Each comes as soon as those before it have come. After an error of a task no other is
        begun; of several errors the first in the order of the tasks is raised.

        Parameters
        ----------
        phase : str
            For the progress.
        function : callable
            At the top of a module, so that it can be sent to a process.
        tasks : mapping of str to object
            Name of each task and its argument.
        limits : callable, optional
            What a task may take.
        set_aside : dict, optional
            Collects tasks that are poison instead of raising, with the error of each, and the
            rest goes on; the result of such a task is None. A task is poison too if it raises
            anything but a `CimkitError` or an `OSError`: those are of an input or the disk.
        forgiven : tuple of exception classes
            Errors that set a task aside all the same.

        Raises
        ------
        WorkerError
            If a task kills `DEATHS_MAX` processes. It names the task.
        """
        if tasks:
            self.progress(phase, 0, len(tasks))
        early: dict[str, _Outcome] = {}
        expected = deque(tasks)
        call = _Call(phase, function, tasks, limits)

        def is_poison(error: BaseException | None) -> TypeGuard[Exception]:
            return set_aside is not None and (_is_poison(error) or isinstance(error, forgiven))

        for done, (name, outcome) in enumerate(self._finished(call, is_poison), 1):
            self.progress(phase, done, len(tasks))
            early[name] = outcome
            while expected and expected[0] in early:
                error = early[expected[0]].exception()
                if set_aside is not None and is_poison(error):
                    set_aside[expected[0]] = error
                    early.pop(expected.popleft())
                    yield None
                    continue
                cpu, peak, result = early.pop(expected.popleft()).result()
                self.peak_memory_kb = max(self.peak_memory_kb, peak)
                self.cpu_s[phase] = self.cpu_s.get(phase, 0.0) + cpu
                yield result

    def close(self, *, kill: bool = False) -> None:
        """End the processes; tasks that have not begun are dropped.

        Parameters
        ----------
        kill : bool
            Do not wait for the tasks that run.
        """
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if kill:
            for process in list((getattr(pool, "_processes", None) or {}).values()):
                process.kill()
        pool.shutdown(wait=True, cancel_futures=True)

    def _finished(
        self, call: _Call, is_poison: Callable[[BaseException | None], bool]
    ) -> Iterator[tuple[str, _Outcome]]:
        """Name and outcome of each task as they end; what a death took has run again."""
        waiting, running = deque(call.tasks), dict[_Outcome, str]()
        while waiting or running:
            intact = self._submit(call, waiting, running)
            ended = self._wait(running)
            if not intact or not ended or any(map(_died, ended)):
                self.close()  # a broken pool gives up all that it had
                ended = set(running)
            outcomes = [(running.pop(one), one) for one in list(running) if one in ended]
            lost = [name for name, outcome in outcomes if _died(outcome)]
            whole = [(name, outcome) for name, outcome in outcomes if not _died(outcome)]
            for name, outcome in chain(whole, self._alone(call, lost)):
                error = outcome.exception()
                if error and not is_poison(error):
                    waiting.clear()
                yield name, outcome

    def _wait(self, running: Iterable[_Outcome]) -> set[_Outcome]:
        """Outcomes that are there; none if the pool is broken and may never bring any.

        What is submitted in the moment in which a pool breaks can be forgotten by it (seen with
        Python 3.11): nothing would ever wake us.
        """
        while True:
            ended = wait_for(running, _BROKEN_CHECK_S, return_when=FIRST_COMPLETED).done
            if ended or getattr(self._pool, "_broken", False):
                return ended

    def _submit(self, call: _Call, waiting: deque[str], running: dict[_Outcome, str]) -> bool:
        """Hand out the next tasks; False if the pool turns out to be broken."""
        pool = self._started(self.n)
        try:
            while waiting and len(running) < _SUBMITTED_PER_WORKER * self.n:
                running[call.submit(pool, waiting[0])] = waiting[0]
                waiting.popleft()
        except BrokenProcessPool:
            return False
        return True

    def _alone(self, call: _Call, names: list[str]) -> Iterator[tuple[str, _Outcome]]:
        """Run tasks one by one: another death cannot be blamed on a neighbour."""
        if not names:
            return
        self.close()
        for name in names:
            yield name, self._last_chances(call, name)
        self.close()

    def _last_chances(self, call: _Call, name: str) -> _Outcome:
        """Outcome of a task that was lost once, each try in a process that nobody else uses."""
        exit_code = None
        for _ in range(DEATHS_MAX - 1):
            pool = self._started(1)
            outcome = call.submit(pool, name)
            (process,) = (getattr(pool, "_processes", None) or {0: None}).values()
            if self._wait([outcome]) and not _died(outcome):
                return outcome
            self.close()
            exit_code = _exit_code(process)
        poison = _Outcome()
        poison.set_exception(WorkerError(f"{call.phase} {name}", exit_code))
        return poison

    def _started(self, n: int) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(n, mp_context=_Spawn(), initializer=_begin)
        return self._pool


class _Call(NamedTuple):
    """One phase: what is called, with what, within which limits."""

    phase: str
    function: Callable[[Any], Any]
    tasks: Mapping[str, Any]
    limits: Callable[[Any], Limits] | None

    def submit(self, pool: ProcessPoolExecutor, name: str) -> _Outcome:
        task = self.tasks[name]
        limits = None if self.limits is None else self.limits(task)
        return pool.submit(_measured, self.function, task, limits)


@contextmanager
def started(n: int, progress: Progress = silent) -> Iterator[Workers]:
    """Workers that are ended when the block is left; at once, if it is left by an exception.

    SIGTERM leaves it like Ctrl-C, as `KeyboardInterrupt`, unless the program handles it.
    """
    workers = Workers(n, progress)
    with _interrupted_by_sigterm():
        try:
            yield workers
        except BaseException:
            workers.close(kill=True)
            raise
        workers.close()


class Clock:
    """Wall seconds of the phases, and CPU seconds of this process in them."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self.phases: dict[str, dict[str, float]] = {}

    def lap(self, phase: str) -> None:
        """End of a phase."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.phases[phase] = {"wall_s": wall - self._wall, "own_cpu_s": cpu - self._cpu}
        self._wall, self._cpu = wall, cpu

    def as_json(self, workers: Workers, facts: Mapping[str, Any]) -> bytes:
        """For run.json: the only file that differs from run to run.

        Parameters
        ----------
        workers : Workers
        facts : mapping
            What else is to be known of this run, and would make its city another if told there.
        """
        run = {
            "phases": self.phases,
            "workers": workers.n,
            "workers_cpu_s": workers.cpu_s,
            **facts,
            "peak_memory_kb": peak_memory_kb(),
            "peak_memory_worker_kb": workers.peak_memory_kb,
            "python": platform.python_version(),
        }
        return json.dumps(run, indent=1).encode() + b"\n"


def peak_memory_kb() -> int:
    """Most memory that this process has had; 0 on Windows."""
    # Not getrusage on Linux: it begins with the memory of the process that started this one.
    stated = re.search(rb"VmHWM:\s+(\d+)", _about_this_process("status"))
    if stated:
        return int(stated[1])
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def _about_this_process(name: str) -> bytes:
    """What Linux says of this process in a file of ``/proc/self``; nothing elsewhere."""
    try:
        handle = os.open(f"/proc/self/{name}", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(handle, 65_536)
    finally:
        os.close(handle)


_booked_cpu = 0.0


def _measured(
    function: Callable[[Any], Any], task: Any, limits: Limits | None
) -> tuple[float, int, Any]:
    """In a worker: CPU seconds since the last task, peak memory, and the result.

    Not since the start of this one: unpacking a first task imports what it needs.
    """
    global _booked_cpu
    try:
        with _limited(limits):
            result = function(task)
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)  # as the system would: the next try has all memory
        raise
    except Exception:
        raise
    except BaseException as error:  # a panic of native code: its class may not travel
        raise RuntimeError(f"{type(error).__name__}: {error}") from None
    before, _booked_cpu = _booked_cpu, time.process_time()
    return _booked_cpu - before, peak_memory_kb(), result


@contextmanager
def _limited(limits: Limits | None) -> Iterator[None]:
    """Let the system end this process where a task takes too much.

    By timers of the kernel, not a thread: native code that hangs holds the lock of Python.
    """
    if limits is None or sys.platform == "win32":
        yield
        return
    import resource

    timers = {signal.ITIMER_PROF: limits.cpu_s, signal.ITIMER_REAL: limits.wall_s}
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    before = resource.getrlimit(resource.RLIMIT_AS)
    allowed = _address_space() + limits.memory_bytes
    if before[0] == resource.RLIM_INFINITY or allowed < before[0]:
        resource.setrlimit(resource.RLIMIT_AS, (allowed, before[1]))
    for timer, seconds in timers.items():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _address_space() -> int:
    """Bytes of address space of this process; as good as no limit where that is not known."""
    pages = _about_this_process("statm").split()
    return int(pages[0]) * os.sysconf("SC_PAGE_SIZE") if pages else 1 << 46


def _died(outcome: _Outcome) -> bool:
    """Whether the process of a task died, or its pool has forgotten it."""
    if not outcome.done() or outcome.cancelled():
        return True
    return isinstance(outcome.exception(), BrokenProcessPool)


def _is_poison(error: BaseException | None) -> TypeGuard[Exception]:
    """Whether it lies in the task alone: not in a file or the disk, which all tasks share."""
    return isinstance(error, WorkerError) or (
        isinstance(error, Exception) and not isinstance(error, (CimkitError, OSError))
    )


def _exit_code(process: Any) -> int | None:
    """What the process left when it died; below 0 a signal."""
    if process is None:
        return None
    process.join(1.0)
    code: int | None = process.exitcode
    return code


def _begin() -> None:
    """In a new worker: leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, where that would end the process without clean-up."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
