"""What a build and the register have to tell each other beside new codes.

Where a build died between its commit and the activation of its codes, the city stands and the
register lags behind: it is brought up to what the city shows before anything is compared with
it. And of what people have decided, a build passes on only what is news: what it has merely
read may be older than what another build has written since.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cimkit.errors import InputError
from cimkit.read.city import City
from cimkit.register import (
    activate,
    read_history,
    read_register,
    read_register_reviews,
    save_reviews,
)
from cimkit.steps.encode import Encoding, ancestry
from cimkit.steps.review import join_reviews, new_reviews
from cimkit.tables import Footprints
from cimkit.tables._columns import TEXT, TextArray
from cimkit.tables.changes import Origin
from cimkit.tables.coderecords import RESERVED, CodeRecords
from cimkit.tables.registerurl import is_url
from cimkit.tables.reviews import Reviews
from cimkit.write.store import Staging

RECOVERY = "recovery"
"""Cause of changes that a build left undone."""


class Decided(NamedTuple):
    """What people have decided about links, as a build knows it.

    Attributes
    ----------
    before : Reviews
        In the register when the build began.
    now : Reviews
        In the sheets of this build.
    """

    before: Reviews
    now: Reviews

    def joined(self, building_id: TextArray, codes: TextArray) -> Reviews:
        """All of them, with buildings by code as far as they are known."""
        return join_reviews(self.before, self.now, building_id, codes)

    def news(self, building_id: TextArray, codes: TextArray) -> Reviews:
        """Those that the register does not hold yet."""
        return new_reviews(self.before, self.joined(building_id, codes))


def read_decided(register: str, now: Reviews) -> Decided:
    """Decisions of the register and of this build."""
    return Decided(read_register_reviews(register), now)


def save_decided(
    register: str, decided: Decided, footprints: Footprints, encoding: Encoding, origin: Origin
) -> None:
    """Keep what people have decided before the city is committed: no death can lose it.

    A new building is not named by its code yet, which is still to be activated.
    """
    old = ~np.isin(encoding.codes.astype(object), encoding.fresh.code.astype(object))
    news = decided.news(footprints.building_id[old], encoding.codes[old])
    save_reviews(register, news, origin=origin)


def keep_out(staging: Staging, register: str) -> None:
    """Refuse a register inside the city folder; one in a database is never there."""
    if not is_url(register):
        staging.keep_out(register)


def standing_codes(register: str, crs: str, staging: Staging) -> CodeRecords:
    """The register; where a build of this output died after its commit, as it would be."""
    known = read_register(register, crs)
    reserved = known.code[known.state == RESERVED].astype(object)
    if not len(reserved):
        return known
    try:
        city = City(staging.out)
    except InputError:
        return known
    codes = city.buildings.code
    mine = codes[np.isin(codes.astype(object), reserved)]
    if not len(mine):
        return known
    taken = np.isin(codes.astype(object), _untouched(register, known, set(mine.tolist())))
    footprints, codes = city.footprints.take(taken), codes[taken]
    origin = Origin(RECOVERY, "", str(city.manifest.get("as_of") or ""))
    lineage = ancestry(footprints, codes, known)
    nobody = np.empty(0, dtype=TEXT)
    activate(register, codes, footprints, nobody, lineage=lineage, origin=origin)
    return read_register(register, crs)


def _untouched(register: str, known: CodeRecords, mine: set[str]) -> list[str]:
    """Codes that nobody has changed since that build reserved its own."""
    changes = read_history(register)
    start = max((c.number for c in changes if c.code in mine), default=0)
    touched = {c.code for c in changes if c.number > start and c.change != "reviewed"}
    return [code for code in known.code.tolist() if code not in touched]
