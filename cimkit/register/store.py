"""The register: what a build asks of it and puts into it, whatever keeps it.

A build reserves its new codes here, claims new outlines for those that it keeps, puts the city
in its place, then activates its codes here. A crash between leaves reserved codes, which are
never given out again, and claims, which others heed; at no moment does a city hold a code that
the register does not know. Codes are added and change their state, and are never deleted.
Tables ``history``, ``lineage`` and ``reviews`` say what happened to each code, what it came
from, and what people have decided about links.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.codes.uic21 import valid_all, validate
from cimkit.errors import StoreError, TableError
from cimkit.register.addresses import note_addresses
from cimkit.register.claims import (
    Claim,
    check_claims,
    note_claims,
    read_claims,
    reserved_codes,
    settle_claims,
    undisputed,
)
from cimkit.register.history import (
    check_at_home,
    check_format,
    check_unchanged,
    name_new_buildings,
    note_lineage,
    note_reviews,
    note_states,
    read_mark,
    reserved_ever,
    upgrade,
)
from cimkit.register.place import Place, existing_register, open_register
from cimkit.register.session import NO_REGISTER, Session
from cimkit.tables import Footprints
from cimkit.tables._columns import TEXT, TextArray, texts
from cimkit.tables.addressrecords import StandingAddresses
from cimkit.tables.changes import HistoryMark, Origin
from cimkit.tables.coderecords import ACTIVE, RESERVED, RETIRED, CodeRecords, Lineage
from cimkit.tables.reviews import Reviews


class Snapshot(NamedTuple):
    """A register as one city saw it.

    Attributes
    ----------
    records : CodeRecords
        All codes.
    mark : HistoryMark
        Where the history was then.
    owner : str
        Whose claims are not those of others.
    claims : list of Claim
        Outlines that other cities were about to give to codes.
    undisputed : CodeRecords
        All codes, where these claims leave no doubt that they stand.
    own : list of Claim
        Codes that this city has reserved and outlines that it was about to show, in a build
        that did not come to its end.
    """

    records: CodeRecords
    mark: HistoryMark
    owner: str
    claims: list[Claim]
    undisputed: CodeRecords
    own: list[Claim]


def read_register(place: Place, crs: str, *, also_moved: bool = False) -> CodeRecords:
    """All codes ever given out, sorted, with their outlines in the CRS of the build.

    Parameters
    ----------
    place : str or Path
        A register; one that does not exist yet is empty.
    crs : str
        CRS to bring the outlines into; only its horizontal part counts.
    also_moved : bool
        Read one whose codes live elsewhere now, to look into it.

    Returns
    -------
    CodeRecords

    Raises
    ------
    StoreError
        If it is damaged, locked, out of reach or something else than a register.
    CrsError
        If there is no exact way from the CRS of the register to `crs`.
    """
    return read_snapshot(place, crs, also_moved=also_moved).records


def read_snapshot(
    place: Place, crs: str, *, owner: str = "", also_moved: bool = False
) -> Snapshot:
    """`read_register`, with what a city has to know to write to it later.

    Parameters
    ----------
    place, crs, also_moved
        As there.
    owner : str
        Text for the city, the same at each of its builds.
    """
    none = CodeRecords.empty(crs)
    nothing = Snapshot(none, HistoryMark(0, ""), owner, [], none, [])
    backend = open_register(place)
    if not backend.is_there():
        return nothing
    with backend.session(write=False) as session:
        crs_there = session.crs()
        if not crs_there:
            return nothing
        check_format(session)
        if not also_moved:
            check_at_home(session)
        rows = session.read("SELECT code, building_id, state, geom FROM codes")
        records = _records(session, sorted(rows, key=lambda row: str(row[0])), crs_there)
        mark, (own, claims) = read_mark(session, None), read_claims(session, owner)
    here = records.to_crs(crs)
    sure = undisputed(records, claims).to_crs(crs) if claims else here
    return Snapshot(here, mark, owner, claims, sure, own)


def reserve(
    place: Place,
    fresh: CodeRecords,
    *,
    owner: str = "",
    origin: Origin = Origin(),  # noqa: B008  (immutable)
) -> None:
    """Add new codes, before the city that uses them is written; makes the register if needed.

    Parameters
    ----------
    place : str or Path
        The register.
    fresh : CodeRecords
        New codes as `cimkit.steps.encode` returns them. The CRS of the first build becomes that
        of the register.
    owner : str
        Text for the city. What it has reserved before may be among the new codes again; ""
        for nobody's, which none may be.
    origin : Origin
        For the history.

    Raises
    ------
    StoreError
        If one of the codes was given out meanwhile, or the register cannot be written. Nothing
        has changed then.
    """
    with open_register(place).session(write=True) as session:
        crs = session.crs()
        if not crs:
            session.create(fresh.crs)
        _check_open(session)
        records = fresh.to_crs(crs) if crs else fresh
        before = session.rows_of(records.code)
        again = reserved_codes(read_claims(session, owner)[0]) if owner else set[str]()
        rows = list(
            zip(
                records.building_id.tolist(),
                records.state.tolist(),
                session.pack(records.polygons),
                records.code.tolist(),
                strict=True,
            )
        )
        session.change(
            "UPDATE codes SET building_id = ?, state = ?, geom = ? WHERE code = ?",
            [row for row in rows if row[-1] in again],
        )
        session.insert(
            "codes",
            ("building_id", "state", "geom", "code"),
            [row for row in rows if row[-1] not in again],
        )
        if owner:
            claims = [(row[-1], owner, "") for row in rows if row[-1] not in again]
            session.insert("claims", Claim._fields, claims)
        note_states(session, before, session.rows_of(records.code), origin)
        session.widen(records.polygons)


def claim(place: Place, codes: TextArray, footprints: Footprints, seen: Snapshot) -> None:
    """Say what outlines the codes of a city will have, before it takes its place.

    Parameters
    ----------
    place : str or Path
        The register.
    codes : text array, shape (n,)
        Of each footprint.
    footprints : Footprints, length n
    seen : Snapshot
        The register as this build read it.

    Raises
    ------
    StoreError
        If another build has claimed one of these codes since then, or the register cannot be
        written. Nothing has changed then.
    """
    with existing_register(place).session(write=True) as session:
        _check_open(session)
        redrawn = _redrawn(session, codes, footprints)
        claims = [Claim(code, seen.owner, outline) for code, outline in redrawn.items()]
        note_claims(session, seen.owner, claims, seen.claims)


def redrawn_outlines(place: Place, codes: TextArray, footprints: Footprints) -> dict[str, str]:
    """Outlines of a city, as `Claim` has them, where the register knows another one."""
    with existing_register(place).session(write=False) as session:
        return _redrawn(session, codes, footprints)


def _redrawn(session: Session, codes: TextArray, footprints: Footprints) -> dict[str, str]:
    """By code; nothing for codes that are only reserved."""
    records = _standing(codes, footprints).to_crs(session.crs())
    outlines = shapely.to_wkb(records.polygons, byte_order=1).tolist()
    before = session.rows_of(records.code)
    return {
        code: outline.hex()
        for code, outline in zip(records.code.tolist(), outlines, strict=True)
        if (old := before.get(code)) and old.state != RESERVED and old.outline != outline
    }


def activate(
    place: Place,
    codes: TextArray,
    footprints: Footprints,
    retired: TextArray,
    *,
    lineage: Lineage | None = None,
    seen: Snapshot | None = None,
    origin: Origin = Origin(),  # noqa: B008  (immutable)
    heeds_claims: bool = True,
) -> None:
    """Record which buildings stand; `activating` without anything inside."""
    with activating(
        *(place, codes, footprints, retired),
        lineage=lineage,
        seen=seen,
        origin=origin,
        heeds_claims=heeds_claims,
    ):
        pass


@contextmanager
def activating(
    place: Place,
    codes: TextArray,
    footprints: Footprints,
    retired: TextArray,
    *,
    lineage: Lineage | None = None,
    seen: Snapshot | None = None,
    addresses: StandingAddresses | None = None,
    origin: Origin = Origin(),  # noqa: B008  (immutable)
    heeds_claims: bool = True,
) -> Iterator[None]:
    """Record which buildings stand, while the city that shows them takes its place inside.

    No other build writes meanwhile. If what is inside fails, nothing is recorded; if it is done
    and the recording fails, the city stands and the next build of it catches up.

    Parameters
    ----------
    place : str or Path
        The register.
    codes : text array, shape (n,)
        Code of each footprint. They become active, with the identifier and outline of it.
    footprints : Footprints, length n
        The buildings of the city.
    retired : text array
        Active codes whose building has vanished.
    lineage : Lineage, optional
        What buildings of the city came from.
    seen : Snapshot, optional
        The register as this build read it: two builds that both keep a code, each for another
        part of a house that was split, would mint nothing and yet give it twice.
    addresses : StandingAddresses, optional
        Of the city, with their links; None leaves those of the register as they are.
    origin : Origin
        For the history.
    heeds_claims : bool
        False for a city that stands already: what others claim holds on, whatever is recorded.

    Raises
    ------
    StoreError
        Before anything is done inside: if a code is not in the register, if another build has
        changed one of them meanwhile or is about to, or if the register cannot be written.
    """
    standing = _standing(codes, footprints)
    with open_register(place).session(write=True) as session:
        crs = session.crs()
        if not crs:
            raise StoreError(f"{session.name}: holds no codes to activate: {NO_REGISTER}")
        _check_open(session)
        records = standing.to_crs(crs)
        touched = np.concatenate([records.code, retired])
        before = session.rows_of(touched)
        missing = [code for code in records.code.tolist() if code not in before]
        if missing:
            n = f"{len(missing):,} of {len(records):,} codes of the city are not in it"
            raise StoreError(f"{session.name}: {n}: {NO_REGISTER}")
        if seen is not None:
            old = {code for code, row in before.items() if row.state != RESERVED}
            check_unchanged(session, old, seen.mark.number)
            if heeds_claims:
                check_claims(session, seen.owner, touched.tolist(), seen.claims)
            heeded = seen.claims if heeds_claims else []
            settle_claims(session, seen.owner, records.code.tolist(), heeded)
        session.change(
            "UPDATE codes SET state = 'active', building_id = ?, geom = ? WHERE code = ?",
            zip(
                records.building_id.tolist(),
                session.pack(records.polygons),
                records.code.tolist(),
                strict=True,
            ),
        )
        session.change(
            "UPDATE codes SET state = ? WHERE code = ?",
            [(RETIRED, code) for code in retired.tolist()],
        )
        note_states(session, before, session.rows_of(touched), origin)
        note_lineage(session, lineage or Lineage.empty(), origin)
        names = zip(records.building_id.tolist(), records.code.tolist(), strict=True)
        name_new_buildings(session, dict(names), origin)
        if addresses is not None:
            source = origin._replace(data_set=addresses.data_set or origin.data_set)
            note_addresses(session, addresses.records(crs), set(touched.tolist()), source)
        session.widen(records.polygons)
        yield


def save_reviews(
    place: Place,
    reviews: Reviews,
    *,
    origin: Origin = Origin(),  # noqa: B008  (immutable)
) -> None:
    """Keep what people have decided, also if the build that brings it never ends.

    Parameters
    ----------
    place : str or Path
        A register that exists.
    reviews : Reviews
        Of the same person about the same link they replace what was there; different people
        stand beside each other.
    origin : Origin
        For the history.

    Raises
    ------
    StoreError
        If there is no register, or it cannot be written. Nothing has changed then.
    """
    if not len(reviews):
        return
    with existing_register(place).session(write=True) as session:
        if not session.crs():
            raise StoreError(f"{session.name}: holds no codes: {NO_REGISTER}")
        _check_open(session)
        note_reviews(session, reviews, origin)


def _check_open(session: Session) -> None:
    """Whether codes may be written here; brings an older register up to date."""
    upgrade(session)
    check_at_home(session)


def _standing(codes: TextArray, footprints: Footprints) -> CodeRecords:
    """The codes of a city as the register is to hold them."""
    return CodeRecords(
        codes,
        footprints.building_id,
        np.full(len(footprints), ACTIVE, dtype=TEXT),
        footprints.polygons(),
        footprints.crs,
    )


def _records(session: Session, rows: list[tuple[str, ...]], crs: str) -> CodeRecords:
    """Rows of the table of codes, checked: another program may have changed them."""
    if not rows:
        return CodeRecords.empty(crs)
    code, building_id, state, outlines = zip(*rows, strict=True)
    odd = [
        str(text)
        for text, good in zip(code, valid_all(map(str, code)), strict=True)
        if not good
    ]
    # Codes of the city's own scheme: of each the history tells that it was reserved.
    if odd and (strange := sorted(set(odd) - reserved_ever(session))):
        faults = "; ".join(validate(strange[0]))
        raise StoreError(f"{session.name}: code {strange[0]!r}: {faults}: {NO_REGISTER}")
    try:
        return CodeRecords(
            texts("code", code),
            texts("building_id", building_id),
            texts("state", state),
            session.unpack(outlines),
            crs,
        )
    except (shapely.GEOSException, TableError, TypeError) as error:
        raise StoreError(f"{session.name}: {error}: {NO_REGISTER}") from error
