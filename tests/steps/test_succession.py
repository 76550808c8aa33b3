"""Which building is which after five years, against the truth of the sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimkit.read.footprints import read_footprints
from cimkit.sample import make_sample
from cimkit.steps.clean import clean
from cimkit.steps.encode import encode
from cimkit.tables.coderecords import ACTIVE, CodeRecords

CRS = "EPSG:4546"


@pytest.fixture(scope="module")
def epochs(tmp_path_factory):
    """Codes by identifier of both epochs, the second encoding, and what truly happened."""
    folder = tmp_path_factory.mktemp("epochs")
    paths = make_sample(folder, buildings=600, seed=1, cloud="none", second_epoch=True)
    assert paths.second_epoch is not None
    old, new = (
        clean(read_footprints(str(p.footprints), crs=CRS)[0])[0]
        for p in (paths, paths.second_epoch)
    )
    first = encode(old, CodeRecords.empty(CRS), division="421002001")
    known = CodeRecords(
        first.codes, old.building_id, np.full(len(old), ACTIVE, object), old.polygons(), CRS
    )
    second = encode(new, known, division="421002001")
    assert paths.second_epoch.truth_changes is not None
    truth = pd.read_csv(paths.second_epoch.truth_changes, dtype=str, keep_default_na=False)
    before = dict(zip(old.building_id.tolist(), first.codes.tolist(), strict=True))
    after = dict(zip(new.building_id.tolist(), second.codes.tolist(), strict=True))
    return before, after, second, truth


@pytest.mark.parametrize("change", ["kept", "raised", "extended"])
def test_what_still_stands_keeps_its_code(epochs, change):
    before, after, _, truth = epochs
    rows = truth[truth.change == change]
    assert len(rows)
    assert [after[name] for name in rows.new_id] == [before[name] for name in rows.old_id]


@pytest.mark.parametrize(("change", "whole"), [("split", "old_id"), ("merged", "new_id")])
def test_one_part_keeps_the_code_and_the_others_have_their_lineage(epochs, change, whole):
    before, after, second, truth = epochs
    lineage = set(zip(*(column.tolist() for column in second.lineage), strict=True))
    told = {row for row in lineage if row[2] == change}
    groups = truth[truth.change == change].groupby(whole)
    assert len(groups)
    expected = set()
    for _, rows in groups:
        pairs = [(after[n], before[o]) for o, n in zip(rows.old_id, rows.new_id, strict=True)]
        assert sum(now == then for now, then in pairs) == 1
        expected |= {(now, then, change) for now, then in pairs if now != then}
    assert told == expected


def test_nothing_else_has_a_lineage(epochs):
    _, _, second, _ = epochs
    assert set(second.lineage.kind.tolist()) <= {"split", "merged"}
    assert len(set(second.codes.tolist())) == len(second.codes)
