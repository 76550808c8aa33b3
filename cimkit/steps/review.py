"""Let people overrule the links that rules have made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from cimkit.tables import Addresses, Issue, Links
from cimkit.tables._columns import TEXT, BoolArray, IntArray, TextArray
from cimkit.tables.reviews import Reviews

RULE = "REVIEW"
"""Rule of a link that a person has made."""

CONFLICT = "REVIEW_CONFLICT"

_Pair = tuple[str, str]


def apply_reviews(
    links: Links,
    reviews: Reviews,
    addresses: Addresses,
    building_id: TextArray,
    code: TextArray,
) -> tuple[Links, list[Issue]]:
    """Apply what people have decided; no rule comes after this.

    Parameters
    ----------
    links : Links
        As `cimkit.link` made them.
    reviews : Reviews
        All decisions, of all builds before.
    addresses : Addresses
    building_id, code : text array, shape (n,)
        Of the buildings. Decisions name them by code, for identifiers change.

    Returns
    -------
    links : Links
        Accepted links stay, also where no rule makes them any more: those that the rules make
        instead give way. Rejected ones go, edited ones lead to the building that was named.
        `review_state` says which; links that people made have the rule ``REVIEW`` and
        confidence 1. A reviewed link goes before others as primary one.
    issues : list of Issue
        WARNING for an address: ``REVIEW_CONFLICT``, people contradict each other, and the link
        stays as the rules made it; ``REVIEW_STALE``, the address or the building is not there
        any more, and the decision waits.

    Notes
    -----
    The order of the decisions does not matter, and applying them twice is the same as once.
    """
    if not len(reviews):
        return links, []
    name_of = _names(building_id, code)
    known = set(addresses.address_id.tolist())
    said: dict[_Pair, set[_Pair]] = {}
    people: dict[str, set[str]] = {}
    issues: list[Issue] = []
    for row in reviews.rows():
        address, of = row["address_id"], row["building_code"]
        who = row["reviewer"] or "somebody"
        people.setdefault(address, set()).add(who)
        missing = [f"address {address}"] if address not in known else []
        named = (of, row["new_building"])
        missing += [f"building {text}" for text in named if text and text not in name_of]
        if missing:
            text = f"the decision of {who} waits: no {' and no '.join(missing)}"
            issues.append(Issue("WARNING", "REVIEW_STALE", "addresses", address, text))
            continue
        verdict = row["decision"], name_of.get(row["new_building"], "")
        said.setdefault((address, name_of.get(of, "")), set()).add(verdict)
    disputed = _disputed(said)
    for address in disputed:
        text = f"{', '.join(sorted(people[address]))} contradict each other; as the rules say"
        issues.append(Issue("WARNING", CONFLICT, "addresses", address, text))
    settled = {pair: min(v) for pair, v in said.items() if pair[0] not in disputed}
    links = _apply(links, settled, disputed, addresses)
    return _signed(links, people), sorted(set(issues))


def _signed(links: Links, people: Mapping[str, set[str]]) -> Links:
    """Reviewed links with the names of those who have decided about their address."""
    who = links.reviewed_by.copy()
    for row in np.flatnonzero(links.review_state != "auto").tolist():
        who[row] = ";".join(sorted(people.get(str(links.address_id[row]), ())))
    return replace(links, reviewed_by=who)


def join_reviews(
    before: Reviews, now: Reviews, building_id: TextArray, code: TextArray
) -> Reviews:
    """Decisions of all builds: of the same person about the same link those of now hold.

    New buildings are named by their codes afterwards, as far as they are known: identifiers
    change. Rows by address, building, reviewer and decision.

    Examples
    --------
    >>> row = [["1"], ["c1"], ["accepted"], [""], ["李"], [""], ["a.csv"]]
    >>> other = [["1"], ["c1"], ["rejected"], [""], ["李"], [""], ["b.csv"]]
    >>> nothing = np.array([], TEXT)
    >>> join_reviews(Reviews(*row), Reviews(*other), nothing, nothing).decision.tolist()
    ['rejected']
    """
    code_of = dict(zip(building_id.tolist(), code.tolist(), strict=True))
    code_of |= {text: text for text in code.tolist()}

    def key(row: dict[str, Any]) -> tuple[str, ...]:
        return row["address_id"], row["building_code"], row["reviewer"]

    present = now.rows()
    said = {key(row) for row in present}
    rows = [row for row in before.rows() if key(row) not in said] + present
    for row in rows:
        row["new_building"] = code_of.get(row["new_building"], row["new_building"])
    rows.sort(key=lambda row: (*key(row), *row.values()))
    if not rows:
        return Reviews.empty()
    return Reviews(*(np.array([row[name] for row in rows], TEXT) for name in rows[0]))


def settled_reviews(reviews: Reviews) -> Reviews:
    """Those in which nobody contradicts himself about one link: only they can be kept."""
    verdicts: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    for row in reviews.rows():
        key = row["address_id"], row["building_code"], row["reviewer"]
        verdicts.setdefault(key, set()).add((row["decision"], row["new_building"]))
    columns = (reviews.address_id, reviews.building_code, reviews.reviewer)
    keys = zip(*(column.tolist() for column in columns), strict=True)
    kept = np.array([len(verdicts[key]) == 1 for key in keys], np.bool_)
    return Reviews(*(getattr(reviews, name)[kept] for name in Reviews.__dataclass_fields__))


def _names(building_id: TextArray, code: TextArray) -> dict[str, str]:
    """Identifier of each building by code and by itself; a code goes before."""
    names = building_id.tolist()
    by_code = dict(zip(code.tolist(), names, strict=True))
    return {name: name for name in names} | {c: n for c, n in by_code.items() if c}


def _disputed(said: Mapping[_Pair, set[_Pair]]) -> set[str]:
    """Addresses about which people contradict each other.

    Of one link two verdicts; or a building that one takes for right and another for wrong; or
    none at all for one, and a building for another.
    """
    right: dict[str, set[str]] = {}
    wrong: dict[str, set[str]] = {}
    disputed = {address for (address, _), verdicts in said.items() if len(verdicts) > 1}
    for (address, building), verdicts in said.items():
        for decision, new in verdicts:
            if decision != "rejected":
                right.setdefault(address, set()).add(new if decision == "edited" else building)
            if decision != "accepted" and building:
                wrong.setdefault(address, set()).add(building)
    for address, found in right.items():
        if found & wrong.get(address, set()) or ("" in found and len(found) > 1):
            disputed.add(address)
    return disputed


def _apply(
    links: Links, settled: Mapping[_Pair, _Pair], disputed: set[str], addresses: Addresses
) -> Links:
    """The table of links after all decisions that stand."""
    named = {address for address, _ in settled}
    rows = [k for k, name in enumerate(links.address_id.tolist()) if name in named | disputed]
    columns = links.address_id[rows].tolist(), links.building_id[rows].tolist()
    row_of = dict(zip(zip(*columns, strict=True), rows, strict=True))
    state = links.review_state.copy()
    gone, added, alone = set[_Pair](), dict[_Pair, str](), set[str]()
    for pair, (decision, new) in sorted(settled.items()):
        if decision != "accepted":
            gone.add(pair)
        elif pair in row_of:
            state[row_of[pair]] = "accepted"
        elif pair[1]:
            added[pair] = "accepted"
        else:
            alone.add(pair[0])
        if decision == "edited":
            added[pair[0], new] = "edited"
    # Where a person named a building that the rules do not, their other choices give way.
    firm = {address for address, _ in added} | alone
    kept = np.ones(len(links), np.bool_)
    conflicts = links.conflicts.copy()
    for pair, k in row_of.items():
        gives_way = pair[0] in firm and state[k] != "accepted"
        kept[k] = not (pair in gone or pair in added or gives_way)
        if pair[0] in disputed:
            conflicts[k] = _with_conflict(str(conflicts[k]))
    links = replace(links, review_state=state, conflicts=conflicts).take(kept)
    rejected = {address for address, _ in gone} | alone
    return _table(links, _made(added, addresses), rejected, addresses)


def _table(
    links: Links, made: list[dict[str, Any]], rejected: set[str], addresses: Addresses
) -> Links:
    """Links kept and made, by address and building, with primary ones and reasons."""
    pairs = [f.name for f in fields(links) if not f.name.startswith("unlinked")]
    columns = {
        name: np.concatenate(
            [column, np.array([row[name] for row in made], dtype=column.dtype)]
        )
        for name, column in ((name, getattr(links, name)) for name in pairs)
    }
    place = {name: k for k, name in enumerate(addresses.address_id.tolist())}
    at = np.array([place[name] for name in columns["address_id"].tolist()], np.int64)
    names = columns["building_id"].tolist()
    rank_of = {name: k for k, name in enumerate(sorted(set(names)))}
    rank = np.array([rank_of[name] for name in names], np.int64)
    order = np.lexsort((rank, at))
    columns = {name: column[order] for name, column in columns.items()}
    columns["primary"] = _primary(columns, at[order], rank[order])
    linked = set(columns["address_id"].tolist())
    reason = dict(zip(links.unlinked_id.tolist(), links.unlinked_reason.tolist(), strict=True))
    reason |= dict.fromkeys(rejected, "REJECTED")
    left = sorted((place[a], a, r) for a, r in reason.items() if a not in linked)
    return Links(
        **columns,
        unlinked_id=np.array([a for _, a, _ in left], TEXT),
        unlinked_reason=np.array([r for *_, r in left], TEXT),
    )


def _with_conflict(text: str) -> str:
    """Conflicts of a link, and that people contradict each other."""
    return ";".join(sorted({CONFLICT, *filter(None, text.split(";"))}))


def _made(added: Mapping[_Pair, str], addresses: Addresses) -> list[dict[str, Any]]:
    """Rows of links that people have made."""
    columns = addresses.address_id.tolist(), addresses.source_row.tolist()
    source = dict(zip(*columns, strict=True))
    return [
        {
            **_EVIDENCE,
            **dict.fromkeys(_STAMPS, ""),
            "address_id": address,
            "building_id": building,
            "review_state": decision,
            "source_row": source[address],
        }
        for (address, building), decision in added.items()
    ]


def _primary(columns: Mapping[str, Any], place: IntArray, rank: IntArray) -> BoolArray:
    """One link of each building: reviewed, then surest, nearest, first of the addresses."""
    reviewed = [state in ("accepted", "edited") for state in columns["review_state"].tolist()]
    far = np.nan_to_num(columns["distance_m"], nan=np.inf)
    others = (~np.array(reviewed, np.bool_)).astype(np.int64)
    others[columns["rule"] == "R6"] = 2  # a compound is nobody's own address
    best = np.lexsort((place, far, -columns["confidence"], others, rank))
    first = np.append(True, np.diff(rank[best]) != 0)[: len(best)]
    first &= columns["rule"][best] != "R6"
    primary = np.zeros(len(rank), np.bool_)
    primary[best[first]] = True
    return primary


_STAMPS = (
    *("reviewed_by", "source_dataset", "source_hash", "method_version", "params_hash"),
    *("created_at", "valid_from", "valid_to"),
)
"""Columns that are filled in for all links alike, after all decisions."""

_EVIDENCE: dict[str, Any] = {
    "rule": RULE,
    "confidence": 1.0,
    "distance_m": np.nan,
    "inside": False,
    "primary": False,
    "n_candidates": 1,
    "factors": '{"base": 1.0, "point": 1.0, "text": 1.0}',
    "runner_up_id": "",
    "runner_up_confidence": np.nan,
    "text_similarity": np.nan,
    "matched_elements": "",
    "conflicts": "",
    "crs_in": "",
    "transform": "",
}
"""Evidence of a link that a person has made."""
