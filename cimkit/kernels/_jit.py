"""All numba policy in one place.

Kernels are compiled once and cached. numba's cache looks only at the file that holds a kernel,
not at the helpers that it calls in other files, and at the time of that file; the cache folder
is therefore named after the contents of all kernel files and the versions of what compiles
them, and times do not count. It is used whenever numba was imported, and wherever numba keeps
what it compiles for others.

`fastmath` is never used (it drops NaN checks), nor numpy's error model for integers (1 // 0
would be 0), and nothing is added up across threads (the bits would depend on their number).
"""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

_FILES = importlib.resources.files("cimkit.kernels")
HERE = str(_FILES)


def _state() -> str:
    """Digest of the kernel files, and of the versions of what compiles them."""
    digest = hashlib.sha256()
    sources = [one for one in _FILES.iterdir() if one.name.endswith(".py")]
    for source in sorted(sources, key=lambda one: one.name):
        digest.update(hashlib.sha256(source.read_bytes()).digest() + source.name.encode())
    versions = numba.__version__, llvmlite.__version__, np.__version__, sys.version_info[:2]
    digest.update(repr((versions, numba.config.BOUNDSCHECK, numba.config.OPT)).encode())
    return digest.hexdigest()[:12]


def _cache_folder() -> str:
    """A folder of the user's own for this state of the kernels; cache entries are pickles.

    Where there is no home that can be written, in the folder for temporary files: the kernels
    are then compiled anew when that was emptied.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    user = os.getuid() if hasattr(os, "getuid") else 0
    temporary = os.path.join(tempfile.gettempdir(), f"cimkit-{user}")  # noqa: PTH118
    for root in (os.path.join(home, "cimkit"), temporary):  # noqa: PTH118
        folder = os.path.join(root, f"numba-{STATE}")  # noqa: PTH118
        if os.path.isabs(root) and _is_own(folder, user):  # noqa: PTH117
            return folder
    return tempfile.mkdtemp(prefix="cimkit-numba-")


def _is_own(folder: str, user: int) -> bool:
    """Whether a folder is there, or can be made, that only its owner, this user, may write."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
        about = os.lstat(folder)
    except OSError:
        return False
    others = about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    owned = stat.S_ISDIR(about.st_mode) and about.st_uid == user and not others
    return owned and os.access(folder, os.W_OK)


STATE = _state()
CACHE_FOLDER = _cache_folder()

JIT = not numba.config.DISABLE_JIT
"""Off where the environment says so, to see the lines of a kernel run as plain Python."""


def kernel(function: Function) -> Function:
    """Compile for one thread, without the interpreter lock."""
    return _compiled(function)


def helper(function: Function) -> Function:
    """Compile a small function that kernels call; it is inlined by LLVM."""
    return _compiled(function)


def _compiled(function: Function) -> Function:
    """Compile, with a cache in our folder that is as old as the contents of the files."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, CACHE_FOLDER
    try:
        compiled: Any = numba.njit(cache=True, nogil=True, error_model="python")(function)
    finally:
        numba.config.CACHE_DIR = before
    if JIT and function.__module__.startswith("cimkit."):
        compiled._cache._cache_file._source_stamp = STATE
    return compiled  # type: ignore[no-any-return]
