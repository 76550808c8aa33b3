"""Kernels in many processes: compiled at the same time, and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cimkit.kernels._jit import JIT

COLD = """
import numpy as np
from cimkit.kernels.grouping import group_rows
print(group_rows(np.array([1, -1, 0, 1]), 2))
"""

FORKED = """
import os, numpy as np, shapely
from cimkit.kernels.footprint_grid import build_grid
from cimkit.kernels.point_in_footprint import assign_points
from cimkit.tables import Footprints
grid = build_grid(Footprints.from_polygons(["a"], [shapely.box(0, 0, 4, 2)]))
x, y = np.array([1.0, 9.0]), np.array([1.0, 1.0])
before = assign_points(x, y, grid).tolist()
child = os.fork()
if child == 0:
    os._exit(assign_points(x, y, grid).tolist() != before)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), before)
"""


@pytest.mark.skipif(not JIT, reason="nothing is compiled with NUMBA_DISABLE_JIT=1")
def test_processes_that_compile_at_the_same_time_all_give_the_answer(tmp_path):
    """numba issues 4807 and 10128: its cache is not safe in general, so a build warms up."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COLD],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    ends = [(*process.communicate(timeout=200), process.returncode) for process in running]
    assert ends == [("(array([2, 0, 3]), array([0, 1, 3]))\n", "", 0)] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_after_a_kernel_does_not_hang():
    """Workers are spawned; a caller's program that forks must not be broken either."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("0 [0, -1]\n", 0), done.stderr
