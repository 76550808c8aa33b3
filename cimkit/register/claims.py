"""What a build says before its city takes its place: which codes are new, or move.

Where a build dies after that moment and before its end, the register still holds the outlines
of before, and nobody can tell from it whether people see those or the claimed ones. So until a
code is recorded again, others take it to stand only where all of them agree: then it cannot
come to mean two places. And of codes that are only reserved it is known by whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.errors import StoreError
from cimkit.register.session import Session
from cimkit.tables.coderecords import RESERVED, CodeRecords

CLAIM_TABLES = {
    "claims": """fid,
        code TEXT NOT NULL,
        owner TEXT NOT NULL,
        outline TEXT NOT NULL,
        UNIQUE (code, owner)""",
}


class Claim(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    code : str
    owner : str
        Text for the city that says so.
    outline : str
        Hexadecimal WKB in the CRS of the register; "" for that of a code it has reserved.
    """

    code: str
    owner: str
    outline: str


def read_claims(session: Session, owner: str) -> tuple[list[Claim], list[Claim]]:
    """Those of a city, and the outlines that others claim; none in a register of before."""
    if not session.has("claims"):
        return [], []
    query = "SELECT code, owner, outline FROM claims"
    found = sorted(Claim(*row) for row in session.read(query))
    own = [claim for claim in found if claim.owner == owner]
    return own, [claim for claim in found if claim.owner != owner and claim.outline]


def reserved_codes(own: Iterable[Claim]) -> set[str]:
    """Codes that a city has reserved, and not shown to the end of a build."""
    return {claim.code for claim in own if not claim.outline}


def note_claims(
    session: Session, owner: str, claims: Sequence[Claim], seen: Iterable[Claim]
) -> None:
    """Put down the new outlines of a city in the place of those that it had."""
    check_claims(session, owner, {claim.code for claim in claims}, seen)
    session.change("DELETE FROM claims WHERE owner = ? AND outline <> ''", [(owner,)])
    session.insert("claims", Claim._fields, claims)


def check_claims(
    session: Session, owner: str, codes: Iterable[str], seen: Iterable[Claim]
) -> None:
    """`StoreError` if another city has claimed one of the codes, and that was not seen yet."""
    _, others = read_claims(session, owner)
    unseen = {claim.code for claim in set(others).difference(seen)}
    if n := len(unseen.intersection(codes)):
        raise StoreError(
            f"{session.name}: another build is about to change {n:,} of the same codes. Run "
            "again."
        )


def settle_claims(
    session: Session, owner: str, codes: Iterable[str], seen: Iterable[Claim]
) -> None:
    """Forget the claims of a city, and those that it has seen of codes recorded now."""
    recorded = set(codes)
    session.change("DELETE FROM claims WHERE owner = ?", [(owner,)])
    session.change(
        "DELETE FROM claims WHERE code = ? AND owner = ? AND outline = ?",
        [claim for claim in seen if claim.code in recorded],
    )


def undisputed(records: CodeRecords, claims: Sequence[Claim]) -> CodeRecords:
    """Codes where the register and all claims agree that they stand; as reserved, if nowhere.

    Parameters
    ----------
    records : CodeRecords
        Of the register, in its CRS.
    claims : sequence of Claim
    """
    row_of = {code: row for row, code in enumerate(records.code.tolist())}
    polygons, state = records.polygons.copy(), records.state.copy()
    for claim in claims:
        row = row_of[claim.code]
        claimed = shapely.make_valid(shapely.from_wkb(claim.outline))
        common = shapely.intersection(shapely.make_valid(polygons[row]), claimed)
        parts = shapely.get_parts(common)
        areal = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
        if areal.is_empty:
            state[row] = RESERVED
        else:
            polygons[row] = areal
    return CodeRecords(
        records.code, records.building_id, state, np.asarray(polygons), records.crs
    )
