"""Jobs: every key checked, every refusal in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cimkit.errors import FormatError, ParameterError
from cimkit.job import Job
from cimkit.read.job import read_job

GOOD = {"footprints": "a.gpkg", "crs": "EPSG:4546+5737"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"footprint_laier": "x"}, "did you mean footprint_layer"),
        ({"workers": "two"}, "workers: int expected"),
        ({"workers": True}, "workers: int expected"),
        ({"undulation": "high"}, "undulation: float expected"),
        ({"points": [1]}, "points: a list of str"),
        ({"ground_classes": ["2"]}, "ground_classes: a list of int"),
        ({"ground_classes": [2, 256]}, "ground_classes: LAS classes are 0 to 255"),
        ({"noise_classes": [7, 7]}, "noise_classes: name each class once"),
        ({"ground_classes": [2, 6]}, r"building_classes: \[6\] are among the ground_classes"),
        ({"noise_classes": [2]}, r"noise_classes: \[2\] are among the ground_classes"),
        ({"undulation": 1e9}, r"undulation: must lie in \[-200, 200\]"),
        ({"undulation": float("nan")}, "undulation: must lie"),
        ({"undulation": 1.0, "ellipsoidal": True}, "exclude each other"),
        ({"storey_height": -3}, r"storey_height: must lie in \[1, 20\]"),
        ({"roof_quantile": float("nan")}, "roof_quantile"),
        ({"lod": ["2.1"]}, "of 1.2, 1.3, 2.2"),
        ({"division": "4210"}, "6 or 9 digits"),
        ({"class_code": "99"}, "6 digits"),
        ({"on_duplicate": "drop"}, "suffix"),
        ({"as_of": "30.6.2026"}, "2026-06-30"),
        ({"crs": ""}, "name the projected CRS"),
        ({"footprints": ""}, "name a vector file"),
    ],
)
def test_a_wrong_value_is_refused_in_words(change, words):
    with pytest.raises(ParameterError, match=words):
        Job.from_mapping({**GOOD, **change})


def test_numbers_and_lists_are_taken_as_toml_writes_them():
    job = Job.from_mapping({**GOOD, "undulation": -15, "points": "tiles", "lod": ["1.2"]})
    assert (job.undulation, job.points, job.lod) == (-15.0, ("tiles",), ("1.2",))


def test_paths_may_be_path_objects():
    job = Job.from_mapping({**GOOD, "footprints": Path("a.shp"), "points": [Path("tiles")]})
    assert (job.footprints, job.points) == ("a.shp", ("tiles",))


def test_every_field_is_documented():
    for field in dataclasses.fields(Job):
        assert field.name in (Job.__doc__ or ""), field.name


def test_paths_are_relative_to_the_job_file(tmp_path):
    path = tmp_path / "city.toml"
    path.write_text('footprints = "a.shp"\npoints = ["tiles", "/x/b.laz"]\ncrs = "EPSG:4546"\n')
    values = read_job(path)
    assert values["footprints"] == str(tmp_path / "a.shp")
    assert values["points"] == [str(tmp_path / "tiles"), "/x/b.laz"]


@pytest.mark.parametrize("text", ["footprints = ", "[", b"\xff"])
def test_a_broken_job_file_is_named(tmp_path, text):
    path = tmp_path / "city.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FormatError, match=r"city\.toml"):
        read_job(path)
