from __future__ import annotations

import numpy as np

from cimkit.tables._columns import TEXT
from cimkit.write.colors import CATEGORIES, RAMP, UNKNOWN, colors_by


def test_numbers_take_the_ramp_and_one_tower_does_not_flatten_it():
    heights = np.append(np.linspace(3, 30, 200), 500.0)
    colors = colors_by(heights)
    assert colors[0].tolist() == [*RAMP[0], 255]
    assert colors[-1].tolist() == [*RAMP[-1], 255]
    assert len(np.unique(colors[:200], axis=0)) > 100


def test_texts_take_a_colour_each_by_how_often_they_occur():
    column = np.array(["b", "a", "a", "", "c"], dtype=TEXT)
    colors = colors_by(column)[:, :3].tolist()
    first, second, third = (list(color) for color in CATEGORIES[:3])
    assert colors == [second, first, first, list(UNKNOWN), third]


def test_constant_and_empty_columns():
    assert len(np.unique(colors_by(np.full(5, 7.0)), axis=0)) == 1
    assert colors_by(np.full(3, np.nan)).tolist() == [[*UNKNOWN, 255]] * 3
    assert colors_by(np.empty(0)).shape == (0, 4)
    many = colors_by(np.array([f"v{i}" for i in range(20)], dtype=TEXT))
    assert many[-1].tolist() == [*UNKNOWN, 255]
