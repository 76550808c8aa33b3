"""All numba policy in one place.

Kernels are compiled once and cached. numba's cache looks only at the file that holds a kernel,
not at the helpers that it calls in other files, so the cache folder is named after the state of
all kernel files. `fastmath` is never used (it drops NaN checks), nor numpy's error model for
integers (1 // 0 would be 0), and nothing is added up across threads (the bits would depend on
their number).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def _cache_folder() -> str:
    """A folder of the user's own for this state of the kernels; cache entries are pickles."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    with os.scandir(here) as entries:
        files = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries)
    state = hashlib.sha256(repr(files).encode()).hexdigest()[:12]
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    folder = os.path.join(home, "cimkit", f"numba-{state}")  # noqa: PTH118
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    except OSError:  # a read-only home: compile anew in each run
        folder = tempfile.mkdtemp(prefix="cimkit-numba-")
    return folder


os.environ.setdefault("NUMBA_CACHE_DIR", _cache_folder())

import numba  # noqa: E402  (it reads the variable when it is imported)

JIT = not numba.config.DISABLE_JIT
"""Off where the environment says so, to see the lines of a kernel run as plain Python."""


def kernel(function: Function) -> Function:
    """Compile for one thread, without the interpreter lock."""
    compiled: Function = numba.njit(cache=True, nogil=True, error_model="python")(function)
    return compiled


def helper(function: Function) -> Function:
    """Compile a small function that kernels call; it is inlined by LLVM."""
    compiled: Function = numba.njit(cache=True, nogil=True, error_model="python")(function)
    return compiled
