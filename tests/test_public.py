"""The public surface: small, complete, light to import, and usable step by step."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import cimkit
from cimkit.read.job import read_job
from tests.conftest import ROOT

HEAVY = [
    *("numpy", "numba", "shapely", "geopandas", "pandas", "pyogrio", "laspy", "rasterio"),
    *("pyproj", "trimesh", "scipy"),
]


def test_public_names_resolve_and_are_few():
    assert len(cimkit.__all__) <= 25
    assert sorted(cimkit.__all__) == cimkit.__all__ == sorted(cimkit._HOME)
    for name in cimkit.__all__:
        assert callable(getattr(cimkit, name)), name
        assert name in dir(cimkit)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'biuld'"):
        cimkit.biuld  # noqa: B018


@pytest.mark.parametrize("program", ["import cimkit", "import cimkit.cli"])
def test_nothing_heavy_is_imported(program):
    check = f"{program}; import sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_pipeline_in_six_lines():
    """The lines of the package's docstring, on the sample city."""
    values = read_job(ROOT / "data-samples" / "city.toml")
    crs = values["crs"]
    footprints, issues = cimkit.clean(cimkit.read_footprints(values["footprints"], crs=crs)[0])
    points = cimkit.read_points(values["points"], crs=crs)
    owner, terrain = cimkit.singulate(points, footprints), cimkit.ground(points)[0]
    buildings, models, issues = cimkit.reconstruct(
        footprints, points, building_of_point=owner, terrain=terrain
    )
    links, issues = cimkit.link(
        cimkit.read_addresses(values["addresses"], crs=crs)[0], footprints
    )
    assert len(models.best()) == len(buildings) == len(footprints) == 11
    assert (buildings.height_source == "points").all()
    assert len(links) > 24
    assert {issue.code for issue in issues} == {"ADDRESS_UNLINKED"}


def test_steps_take_frames_and_arrays():
    values = read_job(ROOT / "data-samples" / "city.toml")
    footprints, _ = cimkit.clean(
        cimkit.read_footprints(values["footprints"], crs=values["crs"])[0]
    )
    frame = footprints.to_geopandas()
    west, south, east, north = frame.total_bounds
    rng = np.random.default_rng(0)
    n = 5000
    columns = rng.uniform(west, east, n), rng.uniform(south, north, n), np.full(n, 60.0)
    points = np.column_stack([*columns, np.full(n, 6)])
    owner = cimkit.singulate(points, frame)
    assert (owner >= 0).any()
    buildings, _, _ = cimkit.reconstruct(frame, points, building_of_point=owner)
    counts = np.bincount(owner[owner >= 0], minlength=len(frame))
    np.testing.assert_array_equal(buildings.n_points, counts)
