"""Grouping and quantiles against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.errors import TableError
from cimkit.kernels.grouping import group_rows, grouped_quantiles

GROUPS = st.lists(st.integers(-1, 4), max_size=60)


@given(GROUPS)
def test_every_row_is_in_its_group_once(groups):
    group = np.array(groups, dtype=np.int64)
    rows, borders = group_rows(group, 5)
    for g in range(5):
        expected = np.flatnonzero(group == g)
        assert rows[borders[g] : borders[g + 1]].tolist() == expected.tolist()


@given(GROUPS, st.integers(0, 2**32 - 1))
def test_quantiles_are_those_of_numpy(groups, seed):
    group = np.array(groups, dtype=np.int64)
    values = np.random.default_rng(seed).normal(50, 20, len(group))
    wanted = np.array([0.0, 0.05, 0.5, 0.7, 1.0])
    found = grouped_quantiles(values, *group_rows(group, 5), wanted)
    for g in range(5):
        if (group == g).any():
            np.testing.assert_allclose(
                found[g], np.quantile(values[group == g], wanted), rtol=1e-12
            )
        else:
            assert np.isnan(found[g]).all()


def test_order_of_rows_does_not_change_a_bit():
    rng = np.random.default_rng(1)
    values, group = rng.normal(size=1000), rng.integers(0, 7, 1000)
    order = rng.permutation(1000)
    wanted = np.array([0.31, 0.7])
    once = grouped_quantiles(values, *group_rows(group, 7), wanted)
    again = grouped_quantiles(values[order], *group_rows(group[order], 7), wanted)
    assert once.tobytes() == again.tobytes()


@pytest.mark.parametrize("group", [[5], [-2]])
def test_group_out_of_range_is_refused(group):
    with pytest.raises(TableError, match="must lie in"):
        group_rows(np.array(group), 5)


def test_quantiles_that_are_none_are_refused():
    with pytest.raises(TableError, match=r"\[0, 1\]"):
        grouped_quantiles(np.zeros(2), np.array([1]), np.array([0, 1]), np.array([1.5]))


def test_rows_outside_values_are_refused():
    with pytest.raises(TableError, match="outside values"):
        grouped_quantiles(np.zeros(2), np.array([2]), np.array([0, 1]), np.array([0.5]))
