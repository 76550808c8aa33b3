"""Random numbers: a stream for each thing, so that the order of drawing does not matter."""

from __future__ import annotations

import numpy as np

PURPOSES = (
    "plan", "row", "building", "occupancy", "address", "trees", "cars",
    "roof scan", "wall scan", "ground scan", "water scan", "car scan", "tree scan", "noise",
    "photo", "change", "redraw", "order", "jitter", "lost", "township", "typing",
    "organisation",
)  # fmt: skip


def stream(seed: int, purpose: str, number: int) -> np.random.Generator:
    """Make a generator of its own for one purpose and one building, row or block.

    Examples
    --------
    >>> bool(stream(7, "trees", 3).random() == stream(7, "trees", 3).random())
    True
    """
    return np.random.Generator(np.random.PCG64([seed, PURPOSES.index(purpose), number]))
