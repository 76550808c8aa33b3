"""Every kernel beside the slow oracle that the tests hold it against."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.measuring import Row, best_cpu_s
from tests.oracles import ORACLES


def kernels_beside_oracles(*, size: int = 20_000, repeats: int = 3) -> list[Row]:
    """Millions of rows a CPU second on invented input of one size."""
    group, rows = f"Kernels beside their oracles, {size:,} rows", []
    for name, oracle in ORACLES.items():
        given = oracle.make_input(np.random.default_rng(0), size)
        fast = best_cpu_s(partial(oracle.fast, *given), repeats)
        slow = best_cpu_s(partial(oracle.slow, *given), 1)
        rows.append(Row(group, name, size / fast / 1e6, "M/CPU s", slow / fast, "the oracle"))
    return rows
