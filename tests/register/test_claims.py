"""What a city that died after its commit may show, others leave alone."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import shapely

from cimkit.errors import StoreError
from cimkit.register import (
    activating,
    claim,
    move_register,
    open_register,
    read_snapshot,
    reserve,
)
from cimkit.steps.encode import encode
from cimkit.tables import Footprints
from tests.register.registers import CRS, dying_after_the_commit, row_of_houses

OTHER_ZONE = "EPSG:4547"


def begin(place, pieces, owner):
    """A build up to the moment before its commit."""
    houses = row_of_houses(pieces)
    seen = read_snapshot(place, CRS, owner=owner)
    made = encode(houses, seen.undisputed)
    reserve(place, made.fresh, owner=owner)
    return houses, seen, made


def finish(place, houses, seen, made, *, dies=False):
    claim(place, made.codes, houses, seen)
    commit = dying_after_the_commit if dies else activating
    with (
        suppress(KeyboardInterrupt),
        commit(place, made.codes, houses, made.retired, lineage=made.lineage, seen=seen),
    ):
        pass
    return made.codes.tolist()


def build(place, pieces, owner, *, dies=False):
    return finish(place, *begin(place, pieces, owner), dies=dies)


def claims(place):
    with open_register(place).session(write=False) as session:
        return session.read("SELECT code, owner FROM claims")


def test_a_code_stands_for_others_only_where_register_and_claim_agree(place):
    (code,) = build(place, [(0, 3)], "A")
    assert build(place, [(0, 2)], "A", dies=True) == [code]
    assert claims(place) == [(code, "A")]
    assert code not in build(place, [(1, 3)], "B", dies=True)
    assert build(place, [(0, 3)], "B") == [code]
    assert claims(place) == []


def test_the_city_itself_takes_no_heed_of_its_own_claim(place):
    (code,) = build(place, [(0, 3)], "A")
    build(place, [(0, 2)], "A", dies=True)
    assert build(place, [(1, 3)], "A") == [code]
    assert claims(place) == []


def test_nothing_is_claimed_for_what_stays_as_it_is(place):
    build(place, [(0, 3)], "A")
    _, new = build(place, [(0, 3), (4, 5)], "A", dies=True)
    assert claims(place) == [(new, "A")]


def test_a_code_that_is_claimed_for_two_places_is_nobodys(place):
    (code,) = build(place, [(0, 3)], "A")
    seen = read_snapshot(place, CRS, owner="C")
    for owner, piece in (("A", (0, 1)), ("B", (2, 3))):
        with open_register(place).session(write=True) as session:
            outline = shapely.to_wkb(row_of_houses([piece]).polygons()[0], hex=True)
            session.insert("claims", ("code", "owner", "outline"), [(code, owner, outline)])
    (new,) = build(place, [(0, 3)], "C", dies=True)
    assert new != code
    (newer,) = build(place, [(0, 3)], "D")
    assert newer not in (code, new), "what is reserved is not given out again"
    assert seen.records.code.tolist() == [code]


def test_the_second_of_two_that_change_a_code_at_once_is_sent_away(place):
    (code,) = build(place, [(0, 3)], "A")
    first, second = begin(place, [(0, 2)], "A"), begin(place, [(1, 3)], "B")
    assert finish(place, *first, dies=True) == [code]
    with pytest.raises(StoreError, match="another build is about to change 1 of the same"):
        finish(place, *second)
    assert build(place, [(1, 3)], "B") != [code]


def test_claims_are_heeded_in_another_crs(place):
    (code,) = build(place, [(0, 3)], "A")
    build(place, [(0, 2)], "A", dies=True)
    seen = read_snapshot(place, OTHER_ZONE, owner="B")
    here = row_of_houses([(1, 3)])
    polygons = np.asarray(seen.records.take(seen.records.code == code).polygons)
    assert seen.undisputed.polygons[0].area == pytest.approx(polygons[0].area * 2 / 3, rel=1e-6)
    moved = encode(here, read_snapshot(place, CRS, owner="B").undisputed)
    there = Footprints.from_polygons(
        ["1-3"], [polygons[0].difference(seen.undisputed.polygons[0])], crs=OTHER_ZONE
    )
    assert code not in moved.codes.tolist()
    assert code not in encode(there, seen.undisputed).codes.tolist()


def test_a_register_that_moves_takes_its_claims_along(new_place):
    here, there = new_place(), new_place()
    (code,) = build(here, [(0, 3)], "A")
    build(here, [(0, 2)], "A", dies=True)
    move_register(here, there)
    assert claims(there) == [(code, "A")]
    assert code not in build(there, [(1, 3)], "B")


def test_a_register_from_before_claims_is_carried_on(place):
    (code,) = build(place, [(0, 3)], "A")
    with open_register(place).session(write=True) as session:
        session.change("DROP TABLE claims")
        if session.has("gpkg_contents"):
            session.change("DELETE FROM gpkg_contents WHERE table_name = 'claims'")
        session.change("UPDATE register_format SET version = 3")
    assert read_snapshot(place, CRS).claims == []
    assert build(place, [(0, 2)], "A") == [code]
