"""Footprint files that lie (F1-F13): what `expect.toml` says becomes of each."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import shapely

import cimkit.errors
from cimkit.read.footprints import read_footprints
from cimkit.steps.clean import clean
from cimkit.tables import count_issues
from tests.hostile.footprints import CORPUS, CRS

EXPECTED: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "expect.toml").read_text(encoding="utf-8")
)["footprints"]


def test_every_file_is_expected():
    assert sorted(EXPECTED) == sorted(CORPUS)


@pytest.mark.parametrize("name", EXPECTED)
def test_footprints(tmp_path, name):
    path, expected = CORPUS[name](tmp_path / name), EXPECTED[name]
    if "error" in expected:
        with pytest.raises(cimkit.errors.CimkitError, match=expected["words"]) as caught:
            read_footprints(str(path), crs=CRS)
        assert type(caught.value).__name__ == expected["error"]
        assert len(str(caught.value)) < 1000
        return
    raw, issues = read_footprints(str(path), crs=CRS)
    footprints, found = clean(raw)
    counts = Counter(count_issues(issues)) + Counter(count_issues(found))
    assert (len(footprints), dict(counts)) == (expected["accepted"], expected["issues"])
    assert shapely.is_valid(footprints.polygons()).all()
    n_errors = sum(issue.severity == "ERROR" for issue in [*issues, *found])
    n_features = len(raw) + counts["COORD_OUTSIDE"]
    assert len(footprints) + n_errors == n_features + counts["MULTIPART_SPLIT"]
