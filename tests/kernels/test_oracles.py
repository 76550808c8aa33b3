"""Every kernel against its slow oracle, and what holds for all kernels alike."""

from __future__ import annotations

import importlib
import pkgutil
import threading
from typing import Any

import numpy as np
import pytest

from cimkit import kernels
from cimkit.errors import LimitError, TableError
from cimkit.kernels._jit import JIT
from cimkit.kernels.footprint_grid import build_grid
from tests.kernels.shapes import POLYGONS, footprints_of
from tests.oracles import ORACLES
from tests.roof_oracles import ROOF_ORACLES
from tests.solid_oracles import SOLID_ORACLES

INNER = (
    *("sum_cells", "halve", "fill_holes", "orientation", "lowest_cells", "open_surface"),
    *("roof_residuals", "cover_roofs", "shared_outline", "chain_marginals", "chain_course"),
    *(
        "find_pits",
        "find_objects",
        "count_around",
        "compare_neighbours",
        "describe_neighbourhoods",
    ),
    *SOLID_ORACLES,
    *ROOF_ORACLES,
)
CHECKED = [name for name in ORACLES if name not in INNER]
"""Kernels with a wrapper that takes what users give; the others are called by cimkit alone."""

OWN_TESTS = {
    f"cimkit.kernels.{name}"
    for name in (
        "footprint_grid",
        "half_edges",
        "cell_sight",
        "cell_complex",
        "cell_outline",
        "cell_contraction",
        "douglas_peucker",
        "roof_heights",
        "roof_faces",
        "roof_solid",
        "solid_check",
        "point_normals",
        "plane_sums",
        "planes_afloat",
        "roof_raster",
        "face_triangles",
        "roof_deviation",
        "surface_polynomial",
        "outline_rectangles",
        "rtin",
    )
}
"""What these make is not one answer but a structure: other tests judge it by exact geometry."""

MODULES = [
    importlib.import_module(f"cimkit.kernels.{found.name}")
    for found in pkgutil.iter_modules(kernels.__path__)
    if found.name not in ("_jit", "warm_up")
]


def run(name: str, seed: int, size: int) -> tuple[Any, Any]:
    oracle = ORACLES[name]
    given = oracle.make_input(np.random.default_rng(seed), size)
    return oracle.fast(*given), oracle.slow(*given)


def as_tuple(result: Any) -> Any:
    return result if isinstance(result, tuple) else (result,)


def assert_agree(fast: Any, slow: Any, tolerance: float) -> None:
    for a, b in zip(as_tuple(fast), as_tuple(slow), strict=True):
        assert a.shape == b.shape
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [1, 30, 700])
@pytest.mark.parametrize("name", ORACLES)
def test_kernel_agrees_with_its_oracle(name, size):
    assert_agree(*run(name, size, size), ORACLES[name].tolerance)


def test_every_kernel_module_has_an_oracle():
    covered = {oracle.kernel.__module__ for oracle in ORACLES.values()}
    assert covered | OWN_TESTS == {m.__name__ for m in MODULES}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *((name, form) for name in CHECKED for form in ("strided", "big-endian", "list")),
        ("assign_points", "read-only"),  # compiled anew for such columns: two are enough
        ("group_rows", "read-only"),
    ],
)
def test_form_of_the_columns_does_not_matter(name, form):
    oracle = ORACLES[name]
    given = oracle.make_input(np.random.default_rng(5), 40)
    changed = [reform(v, form) if isinstance(v, np.ndarray) else v for v in given]
    for a, b in zip(
        as_tuple(oracle.fast(*changed)), as_tuple(oracle.fast(*given)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def reform(column: Any, form: str) -> Any:
    if form == "strided":
        return np.repeat(column, 2)[::2]
    if form == "big-endian":
        return column.astype(column.dtype.newbyteorder(">"))
    if form == "list":
        return column.tolist()
    frozen = column.copy()
    frozen.flags.writeable = False
    return frozen


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [name for name in CHECKED if name != "group_rows"])
def test_numbers_that_are_none_are_refused(name, bad):
    given = list(ORACLES[name].make_input(np.random.default_rng(6), 5))
    given[0] = given[0].copy()
    given[0][3] = bad
    with pytest.raises(TableError, match="row 3 is not a finite number"):
        ORACLES[name].fast(*given)


@pytest.mark.parametrize("odd", [-0.0, 5e-324, -5e-324, 1e308, -1e308, 2.0**31, 2.0**63])
@pytest.mark.parametrize("name", ["assign_points", "covering_footprints", "nearest_footprints"])
def test_odd_numbers_are_places_like_others(name, odd):
    footprints = footprints_of(POLYGONS["l"])
    places = np.array([odd, 1.0]), np.array([1.0, odd])
    found = ORACLES[name].fast(*places, footprints, build_grid(footprints))
    assert_agree(found, ORACLES[name].slow(*places, footprints, None), 1e-7)


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize("n", [2**31, 2**40])
def test_more_rows_than_can_be_counted_are_refused(name, n):
    given = list(ORACLES[name].make_input(np.random.default_rng(7), 5))
    given[0] = np.broadcast_to(given[0][:1], n)  # of stride 0: takes no memory
    with pytest.raises(LimitError, match="rows"):
        ORACLES[name].fast(*given)


@pytest.mark.parametrize("n_groups", [-1, 2**31, 2**63])
def test_number_of_groups_out_of_range_is_refused(n_groups):
    with pytest.raises(TableError, match="groups"):
        ORACLES["group_rows"].fast(np.array([-1]), n_groups)


@pytest.mark.skipif(not JIT, reason="nothing is compiled with NUMBA_DISABLE_JIT=1")
def test_all_kernels_keep_to_one_policy():
    for module in MODULES:
        for function in vars(module).values():
            if not hasattr(function, "targetoptions") or function.__module__ != module.__name__:
                continue
            options = function.targetoptions
            assert options["nogil"]
            assert options["error_model"] == "python"
            # No threads of numba: nothing for a fork or a pool of threads to break.
            assert not options.get("parallel")
            assert not options.get("fastmath")


@pytest.mark.parametrize("name", ["assign_points", "nearest_footprints"])
def test_threads_do_not_disturb_each_other(name):
    oracle = ORACLES[name]
    given = oracle.make_input(np.random.default_rng(8), 300)
    alone = as_tuple(oracle.fast(*given))
    found: list[Any] = [None] * 4

    def work(number: int) -> None:
        found[number] = as_tuple(oracle.fast(*given))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found:
        for a, b in zip(each, alone, strict=True):
            assert a.tobytes() == b.tobytes()
