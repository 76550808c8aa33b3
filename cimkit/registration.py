"""What a build and the register have to tell each other beside new codes.

Where a build died between its commit and the activation of its codes, the city stands and the
register lags behind: it is brought up to what the city shows before anything is compared with
it. And of what people have decided, a build passes on only what its own sheets say: what it has
merely read may be older than what another build has written since.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely

from cimkit.errors import InputError
from cimkit.inputs import data_set
from cimkit.read.city import City
from cimkit.register import (
    Snapshot,
    activate,
    history_mark,
    read_history,
    read_register_reviews,
    read_snapshot,
    redrawn_outlines,
    save_reviews,
)
from cimkit.register.claims import reserved_codes
from cimkit.registerurl import is_url
from cimkit.steps.encode import Encoding, ancestry
from cimkit.steps.review import join_reviews, settled_reviews
from cimkit.tables import Addresses, Footprints, Links
from cimkit.tables._columns import TEXT, BoolArray, TextArray
from cimkit.tables.addressrecords import StandingAddresses
from cimkit.tables.changes import OF_ROWS, HistoryMark, Origin
from cimkit.tables.coderecords import ACTIVE, Lineage
from cimkit.tables.reviews import Reviews
from cimkit.write.reservation import Noted
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


def read_decided(register: str, now: Reviews) -> Decided:
    """Decisions of the register and of this build."""
    return Decided(read_register_reviews(register), now)


def save_decided(
    register: str, decided: Decided, footprints: Footprints, encoding: Encoding, origin: Origin
) -> None:
    """Keep what the sheets say before the city is committed: no death can lose it.

    A new building is not named by its code yet: that comes with its activation.
    """
    old = ~np.isin(encoding.codes.astype(object), encoding.fresh.code.astype(object))
    names, codes = footprints.building_id[old], encoding.codes[old]
    own = settled_reviews(join_reviews(Reviews.empty(), decided.now, names, codes))
    save_reviews(register, own, origin=origin)


def standing_addresses(
    source: str, addresses: Addresses | None, links: Links, encoding: Encoding, names: TextArray
) -> StandingAddresses | None:
    """Addresses of a file and their links for the register; None for a city without any."""
    if addresses is None:
        return None
    return StandingAddresses(addresses, links, names, encoding.codes, data_set(source))


def keep_out(staging: Staging, register: str) -> None:
    """Refuse a register inside the city folder; one in a database is never there."""
    if not is_url(register):
        staging.keep_out(register)


def standing_codes(register: str, crs: str, staging: Staging, noted: Noted) -> Snapshot:
    """The register; where a build of this output died after its commit, as it would be."""
    known = read_snapshot(register, crs, owner=noted.owner)
    try:
        city = City(staging.out)
        mark = HistoryMark(**city.run["register"])
    except (InputError, LookupError, TypeError):  # none yet, or of an older version
        return known
    as_of = str(city.manifest.get("as_of") or "")
    if noted.is_unseen:  # what its last build has claimed is not what the city shows
        known = known._replace(own=[claim for claim in known.own if not claim.outline])
    return catch_up(register, known, city.footprints, city.buildings.code, mark, as_of=as_of)


def catch_up(
    register: str,
    snapshot: Snapshot,
    footprints: Footprints,
    codes: TextArray,
    mark: HistoryMark,
    *,
    as_of: str,
) -> Snapshot:
    """Activate the codes of a city that stands, if their build died before it did so.

    Parameters
    ----------
    register : str
    snapshot : Snapshot
        Of the register.
    footprints : Footprints
        Of the city.
    codes : text array, shape (n_footprints,)
    mark : HistoryMark
        Where the history was when the city was committed.
    as_of : str
        Date that was given for that build; "" for none.

    Returns
    -------
    Snapshot
        Of the register now.

    Notes
    -----
    All codes of the city take its outlines, also those that it only kept: of a building that
    was split, the part that keeps the code must not look like a new one. Outlines that the
    city claimed, and nobody has recorded since, are recorded now; where its claim is gone,
    another build has had its say. What else another build has changed stays as it is; where
    this build did come to its end, that is everything.
    """
    known = snapshot.records
    if not len(known) or not mark.number or history_mark(register, mark.number) != mark:
        return snapshot
    since = read_history(register, after=mark.number)
    touched = {change.code for change in since if change.change in OF_ROWS}
    claimed = {claim.code: claim.outline for claim in snapshot.own}
    redrawn = redrawn_outlines(register, codes, footprints)
    ours = {code for code in codes.tolist() if code not in touched and code not in redrawn}
    ours |= {code for code, outline in redrawn.items() if claimed.get(code) == outline}
    row_of = {code: row for row, code in enumerate(known.code.tolist()) if code in ours}
    rows = [k for k, code in enumerate(codes.tolist()) if code in row_of]
    behind = np.array([row_of[code] for code in codes[rows].tolist()], dtype=np.int64)
    standing, held = footprints.take(np.array(rows, dtype=np.int64)), known.take(behind)
    if (
        (held.state == ACTIVE).all()
        and (held.building_id == standing.building_id).all()
        and shapely.equals_identical(held.polygons, standing.polygons()).all()
    ):
        return snapshot
    whole = ancestry(footprints, codes, known)
    own = np.isin(whole.code.astype(object), list(row_of))
    lineage = Lineage(*(column[own] for column in whole))
    origin, nobody = Origin(RECOVERY, "", as_of), np.empty(0, dtype=TEXT)
    activate(
        *(register, codes[rows], standing, nobody),
        lineage=lineage,
        seen=snapshot,
        origin=origin,
        heeds_claims=False,
    )
    return read_snapshot(register, known.crs, owner=snapshot.owner)


def still_free(seen: Snapshot, noted: frozenset[str]) -> BoolArray:
    """Which codes dead builds of this city have reserved, so that nobody has seen them."""
    own = sorted(reserved_codes(seen.own) & noted)
    free: BoolArray = np.isin(seen.records.code.astype(object), own)
    return free
