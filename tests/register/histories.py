"""Histories of a register, and a plain model that says what it must hold after each step.

Two cities, each with an output of its own, share one register and the same row of plots. The
model is a dictionary of rows. Which code a building gets `cimkit.steps.encode` decides; the
model judges what must hold whatever it decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import shapely
from hypothesis import strategies as st

from cimkit import registration
from cimkit.errors import StoreError
from cimkit.register import (
    activating,
    claim,
    history_mark,
    open_register,
    read_snapshot,
    reserve,
)
from cimkit.steps.encode import Encoding, encode
from cimkit.tables.changes import HistoryMark, Origin
from cimkit.tables.reviews import Reviews
from tests.register.registers import CRS, decided, replayed, row_of_houses, tables

SLOTS = 6
Piece = tuple[int, int]
FATES = (
    *("", "", "", "before reserve", "torn reserve", "reserved", "torn claim", "claimed"),
    *("torn activate", "committed"),
)
"""Where a build dies; "" for one that ends."""


class Review(NamedTuple):
    """What a person decides about a link of a building of the city that is built."""

    address: str
    building: int
    decision: str
    reviewer: str


class Build(NamedTuple):
    """A build of one of the two cities."""

    out: int
    pieces: list[Piece]
    fate: str
    torn_at: int
    reviews: list[Review]


class Race(NamedTuple):
    """Both cities are built at once: both have read before either writes."""

    first: Build
    second: Build


class Death(BaseException):
    """A build is killed."""


class Row(NamedTuple):
    """Of the model."""

    state: str
    name: str
    wkb: str


@st.composite
def pieces(draw: Any) -> list[Piece]:
    """A row of plots, each empty or part of a house."""
    found, at = [], 0
    while at < SLOTS:
        length = draw(st.integers(1, 4))
        if draw(st.integers(0, 3)):
            found.append((at, min(at + length, SLOTS)))
        at += length
    return found or [(0, 1)]


REVIEWS = st.builds(
    Review,
    st.sampled_from("12"),
    st.integers(0, SLOTS - 1),
    st.sampled_from(["accepted", "rejected", "edited"]),
    st.sampled_from(["李", "王"]),
)
BUILDS = st.builds(
    Build,
    st.integers(0, 1),
    pieces(),
    st.sampled_from(FATES),
    st.integers(1, 8),
    st.lists(REVIEWS, max_size=2),
)
STEPS = st.one_of(BUILDS, BUILDS, BUILDS, st.builds(Race, BUILDS, BUILDS))
HISTORIES = st.lists(STEPS, min_size=1, max_size=7)


class Doing:
    """A build between reading and writing."""

    def __init__(self, world: World, build: Build) -> None:
        self.world, self.build = world, build
        self.city = row_of_houses(build.pieces)
        seen = read_snapshot(world.place, CRS, owner=str(build.out))
        shown = world.shown[build.out]
        if shown:
            city = row_of_houses(list(shown))
            codes = np.array(list(shown.values()), np.dtypes.StringDType())
            mark = world.marks[build.out]
            if not world.pending[build.out]:
                seen = seen._replace(own=[claim for claim in seen.own if not claim.outline])
            seen = registration.catch_up(world.place, seen, city, codes, mark, as_of="")
            world.caught_up(build.out)
        self.seen, self.clock, self.claims = seen, world.clock, dict(world.claims)
        free = registration.still_free(seen, world.noted[build.out])
        self.known = seen.undisputed.take(~free)
        self.made: Encoding = encode(self.city, self.known)
        self.codes: list[str] = self.made.codes.tolist()
        self.decided = registration.read_decided(world.place, self.sheet())

    def sheet(self) -> Reviews:
        """What people say of the buildings that stand in the city of today."""
        shown = list((self.world.shown[self.build.out] or {}).values())
        rows: dict[tuple[str, ...], tuple[str, ...]] = {}
        for address, number, decision, reviewer in self.build.reviews:
            if shown:
                code = shown[number % len(shown)]
                a, b = self.build.pieces[number % len(self.build.pieces)]
                new = f"{a}-{b}" if decision == "edited" else ""
                rows[address, code, reviewer] = (address, code, decision, new, reviewer)
        return decided(*rows.values()) if rows else Reviews.empty()


class World:
    """A register, two cities that it serves, and the model of it."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.rows: dict[str, Row] = {}
        self.lineage: set[tuple[str, str, str]] = set()
        self.reviews: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.shown: list[dict[Piece, str] | None] = [None, None]
        self.noted: list[frozenset[str]] = [frozenset(), frozenset()]
        self.reserved: dict[str, int] = {}
        self.claims: dict[tuple[str, int], Piece] = {}
        self.seen: dict[str, Piece] = {}
        self.pending = [False, False]
        self.marks = [HistoryMark(0, "")] * 2
        self.since = [0, 0]
        self.history: list[tuple[Any, ...]] = []
        self.touched: dict[str, int] = {}
        self.clock = 0

    def run(self, steps: list[Build | Race]) -> None:
        """Do all steps; what must hold is looked at after each."""
        for step in steps:
            if isinstance(step, Build):
                self.finish(Doing(self, step))
            else:
                second = step.second._replace(out=1 - step.first.out)
                both = Doing(self, step.first), Doing(self, second)
                for doing in both:
                    self.finish(doing)
            self.check()

    def finish(self, doing: Doing) -> None:
        """The writing half of a build, in the order of `cimkit.pipeline.build`."""
        build, made = doing.build, doing.made
        self.judge(doing)
        if build.fate == "before reserve":
            return
        noted, fresh = self.noted[build.out], made.fresh.code.tolist()
        self.noted[build.out] = noted.union(fresh)
        # What a dead build of this city had reserved is its own.
        taken = {c for c in fresh if c in self.rows and self.reserved.get(c) != build.out}
        error = attempt(
            self.place,
            build.torn_at if build.fate == "torn reserve" else 0,
            lambda: reserve(self.place, made.fresh, owner=str(build.out)),
        )
        if error is not None and not isinstance(error, Death):
            assert taken, error
            assert "another build took the same codes" in str(error)
            self.noted[build.out] = noted
        if error is not None:
            return
        assert not taken, "a code was reserved twice"
        for code, name in zip(fresh, made.fresh.building_id.tolist(), strict=True):
            self.put(code, Row("reserved", name, wkb(piece_of(name))))
            self.reserved[code] = build.out
        if build.fate == "reserved":
            return
        shown = dict(zip(build.pieces, doing.codes, strict=True))
        if not self.claimed(doing, shown) or build.fate == "claimed":
            return
        registration.save_decided(self.place, doing.decided, doing.city, made, Origin())
        self.keep(doing)
        mark, clock = history_mark(self.place), self.clock
        error = attempt(
            self.place,
            build.torn_at if build.fate == "torn activate" else 0,
            lambda: self.activate(doing, shown, mark, clock),
        )
        old = (set(doing.codes) | set(made.retired.tolist())) - set(fresh)
        changed = {code for code in old if self.touched[code] > doing.clock}
        rivals = old & self.unseen(doing)
        if error is not None and not isinstance(error, Death):
            assert changed | rivals, error
            words = "has changed" if changed else "is about to change"
            assert f"another build {words}" in str(error)
        if error is not None:
            return
        assert not changed, "two builds have changed the same code"
        assert not rivals, "a code was recorded that another build is about to change"
        self.pending[build.out] = False
        self.activated(shown)
        kept = set(doing.codes)
        self.settle(build.out, {key: p for key, p in doing.claims.items() if key[0] in kept})
        for code in made.retired.tolist():
            self.put(code, self.rows[code]._replace(state="retired"))
        self.lineage |= set(zip(*(c.tolist() for c in made.lineage), strict=True))

    def activate(
        self, doing: Doing, shown: dict[Piece, str], mark: HistoryMark, clock: int
    ) -> None:
        """The commit of a city, inside the activation of its codes."""
        made, out = doing.made, doing.build.out
        with activating(
            *(self.place, made.codes, doing.city, made.retired),
            lineage=made.lineage,
            seen=doing.seen,
        ):
            self.marks[out], self.since[out] = mark, clock
            self.commit(out, shown)
            if doing.build.fate == "committed":
                raise Death

    def claimed(self, doing: Doing, shown: dict[Piece, str]) -> bool:
        """Outlines that codes are about to get; a rival that nobody saw is in the way."""
        build, new = doing.build, set(doing.made.fresh.code.tolist())
        redrawn = {
            (code, build.out): piece
            for piece, code in shown.items()
            if code not in new and self.rows[code].wkb != wkb(piece)
        }
        others = {key: p for key, p in self.claims.items() if key[1] != build.out}
        rivals = {code for code, _ in redrawn} & self.unseen(doing)
        error = attempt(
            self.place,
            build.torn_at if build.fate == "torn claim" else 0,
            lambda: claim(self.place, doing.made.codes, doing.city, doing.seen),
        )
        if error is not None and not isinstance(error, Death):
            assert rivals, error
            assert "another build is about to change" in str(error)
        if error is None:
            assert not rivals, "two builds have claimed the same code"
            self.claims = others | redrawn
        return error is None

    def unseen(self, doing: Doing) -> set[str]:
        """Codes that the other city has claimed since a build read."""
        others = {key: p for key, p in self.claims.items() if key[1] != doing.build.out}
        return {code for (code, _), _ in others.items() - doing.claims.items()}

    def settle(self, out: int, seen: dict[tuple[str, int], Piece]) -> None:
        """Claims end with what they are for, and where another build has heeded them."""
        gone = {key for key, piece in seen.items() if self.claims.get(key) == piece}
        gone |= {key for key in self.claims if key[1] == out}
        self.reserved = {code: by for code, by in self.reserved.items() if by != out}
        self.claims = {key: piece for key, piece in self.claims.items() if key not in gone}

    def judge(self, doing: Doing) -> None:
        """Who must keep a code, who must have come from whom, who must retire."""
        made, shown = doing.made, dict(zip(doing.build.pieces, doing.codes, strict=True))
        assert len(set(doing.codes)) == len(doing.codes)
        known = doing.known
        rows = zip(known.code.tolist(), known.state.tolist(), known.polygons, strict=True)
        there = {code: (state, piece_at(shape)) for code, state, shape in rows}
        assert not set(made.fresh.code.tolist()) & set(there)
        active = {code: piece for code, (state, piece) in there.items() if state == "active"}
        for piece, code in shown.items():
            same = {c for c, p in active.items() if p == piece}
            assert not same or code in same, f"{piece} stood as {same} and got {code}"
        kinds = {(code, old): kind for code, old, kind in zip(*made.lineage, strict=True)}
        alone = len(set(active.values())) == len(active) and disjoint(list(active.values()))
        for code, whole in active.items() if alone else ():
            inside = [p for p in shown if whole[0] <= p[0] and p[1] <= whole[1]]
            if len(inside) > 1 and sum(b - a for a, b in inside) == whole[1] - whole[0]:
                free = [p for p in inside if shown[p] == code or shown[p] in kinds_of(made)]
                judge_split(code, inside, shown, kinds, free)
        for piece, code in shown.items() if alone else ():
            parts = {c: p for c, p in active.items() if piece[0] <= p[0] and p[1] <= piece[1]}
            lengths = sorted(b - a for a, b in parts.values())
            if len(parts) > 1 and sum(lengths) == piece[1] - piece[0]:
                judge_merge(piece, code, parts, kinds)
        low, high = min(a for a, _ in shown), max(b for _, b in shown)
        gone = {c for c, (a, b) in active.items() if low <= a and b <= high} - set(doing.codes)
        assert set(made.retired.tolist()) == gone

    def keep(self, doing: Doing) -> None:
        """Decisions of a sheet: the last of each person about each link."""
        for row in doing.sheet().rows():
            key = row["address_id"], row["building_code"], row["reviewer"]
            self.reviews[key] = row["decision"], row["new_building"]

    def activated(self, shown: dict[Piece, str]) -> None:
        for piece, code in shown.items():
            self.put(code, active_row(piece))

    def commit(self, out: int, shown: dict[Piece, str]) -> None:
        """People see the city: from now on its codes mean these places."""
        for piece, code in shown.items():
            last = self.seen.get(code, piece)
            assert overlap(last, piece), f"{code}: at {last}, then at {piece}"
            self.seen[code] = piece
        self.shown[out], self.noted[out], self.pending[out] = shown, frozenset(), True

    def caught_up(self, out: int) -> None:
        """What the next build does for one that died after its commit."""
        if not self.pending[out]:
            return
        shown, start = self.shown[out] or {}, self.since[out]
        behind = {
            p: c
            for p, c in shown.items()
            if (
                self.claims.get((c, out)) == p
                if self.rows[c].state != "reserved" and self.rows[c].wkb != wkb(p)
                else self.touched[c] <= start
            )
        }
        if any(self.rows[c] != active_row(p) for p, c in behind.items()):
            self.settle(out, {})
        self.activated(behind)
        self.lineage |= set(self.lineage_there())
        self.pending[out] = False

    def put(self, code: str, row: Row) -> None:
        if self.rows.get(code) != row:
            self.clock += 1
            self.rows[code], self.touched[code] = row, self.clock

    def lineage_there(self) -> list[tuple[str, str, str]]:
        with open_register(self.place).session(write=False) as session:
            return session.read("SELECT code, supersedes, kind FROM lineage")

    def check(self) -> None:
        """The register holds what the model does, and forgets nothing."""
        if not open_register(self.place).is_there():
            assert not self.rows
            return
        with open_register(self.place).session(write=False) as session:
            if not session.crs():
                assert not self.rows
                return
        held = tables(self.place)
        found = {code: Row(state, name, shape) for _, code, state, name, shape in held["codes"]}
        assert found == self.rows
        history = held["history"]
        assert history[: len(self.history)] == self.history, "the history was changed"
        assert [row[0] for row in history] == list(range(1, len(history) + 1))
        self.history = history
        told = replayed(self.place).items()
        assert {
            c: Row(v["state"], v["building_id"], v["outline"]) for c, v in told
        } == self.rows
        with open_register(self.place).session(write=False) as session:
            claims = session.read("SELECT code, owner, outline FROM claims")
        expected = {key: wkb(piece) for key, piece in self.claims.items()}
        expected |= dict.fromkeys(self.reserved.items(), "")
        assert {(code, int(out)): shape for code, out, shape in claims} == expected
        lineage = {row[1:] for row in held["lineage"]}
        assert {row[:2] for row in lineage} == {row[:2] for row in self.lineage}
        assert all(code in self.rows for row in lineage for code in row[:2])
        kept = {(a, c, who): (d, new) for _, a, c, d, new, who, *_ in held["reviews"]}
        assert set(kept) == set(self.reviews), "a review was lost"
        for key, (decision, new) in self.reviews.items():
            assert kept[key][0] == decision, "a review was overruled"
            assert (kept[key][1] == "") == (new == "")
            assert kept[key][1] in self.rows or "-" in kept[key][1] or not new


def judge_split(code: str, parts: Any, shown: Any, kinds: Any, free: Any) -> None:
    """The largest part of a house keeps its code; the others that are new say so."""
    if len(free) < len(parts):
        return  # a part has come back from the retired, or has a code of its own
    size = {p: p[1] - p[0] for p in parts}
    largest = [p for p in parts if size[p] == max(size.values())]
    assert code in {shown[p] for p in largest}, f"{code} went to none of {largest}"
    for p in parts:
        assert shown[p] == code or kinds[shown[p], code] == "split"


def judge_merge(piece: Piece, code: str, parts: dict[str, Piece], kinds: Any) -> None:
    """The largest of several houses gives its code to the whole; the others are told."""
    size = {c: p[1] - p[0] for c, p in parts.items()}
    assert code in {c for c in parts if size[c] == max(size.values())}, (piece, code, parts)
    for other in set(parts) - {code}:
        assert kinds[code, other] == "merged"


def kinds_of(made: Encoding) -> set[str]:
    """Codes of new buildings that came from others."""
    return set(made.lineage.code.tolist()) & set(made.fresh.code.tolist())


def attempt(place: str, torn_at: int, act: Callable[[], None]) -> BaseException | None:
    """Do something that may be refused, or die at one of its changes; what came of it."""
    try:
        with dying(place, torn_at):
            act()
    except (StoreError, Death) as error:
        return error
    return None


@contextmanager
def dying(place: str, at: int) -> Iterator[None]:
    """Kill what is done inside at its n-th change, if it makes as many; 0 for never."""
    if not at:
        yield
        return
    with open_register(place).session(write=False) as session:
        kind: Any = type(session)
    counter, whole = itertools.count(1), {n: getattr(kind, n) for n in ("change", "insert")}

    def stepping(name: str) -> Any:
        def stepped(self: Any, *values: Any) -> Any:
            if next(counter) == at:
                raise Death
            return whole[name](self, *values)

        return stepped

    for name in whole:
        setattr(kind, name, stepping(name))
    try:
        yield
    finally:
        for name, method in whole.items():
            setattr(kind, name, method)


def wkb(piece: Piece) -> str:
    """Outline of a house, as the register holds it."""
    return str(row_of_houses([piece]).polygons()[0].wkb_hex).lower()


def active_row(piece: Piece) -> Row:
    return Row("active", f"{piece[0]}-{piece[1]}", wkb(piece))


def piece_of(name: str) -> Piece:
    a, b = name.split("-")
    return int(a), int(b)


def piece_at(shape: Any) -> Piece:
    xmin, _, xmax, _ = shapely.bounds(shape).tolist()
    return round((xmin - 500_000) / 10), round((xmax - 500_000) / 10)


def overlap(one: Piece, other: Piece) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def disjoint(found: list[Piece]) -> bool:
    return not any(overlap(a, b) for a, b in itertools.combinations(found, 2))
