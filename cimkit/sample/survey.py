"""The surveys of the city: a quarter goes into all its files, then the next one."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from cimkit.sample.addresses import (
    Address,
    Entry,
    block_addresses,
    estate_of,
    rooms_behind,
)
from cimkit.sample.buildings import Building
from cimkit.sample.change import YEARS, Change
from cimkit.sample.divisions import Community, community_of, division_table
from cimkit.sample.flight import in_flight_order
from cimkit.sample.layout import CRS, Block, Quarter
from cimkit.sample.noise import AddressNoise, as_written
from cimkit.sample.occupancy import Occupancy, occupancy
from cimkit.sample.organisations import organisations
from cimkit.sample.photo import photograph_block
from cimkit.sample.pulses import UNCLASSIFIED, join
from cimkit.sample.scan import scan_block
from cimkit.sample.tables import (
    address_columns,
    change_columns,
    division_frame,
    estate_links,
    footprint_frame,
    household_columns,
    link_columns,
    organisation_columns,
    police_columns,
    roof_columns,
    truth_columns,
)
from cimkit.write.inputs import FootprintFile, SamplePaths, TableFile, append_layer
from cimkit.write.points import write_points

HEIGHTS = "5737"
"""EPSG code of the 1985 national height datum."""

POINT_SCALE = 0.01
"""Metres; a third less to store than millimetres, and below the noise."""

LATER_FLIGHT = 1_000_003
"""Added to the seed of the city for what the second survey draws anew."""


class Wanted(NamedTuple):
    """What a survey of a city with this seed delivers."""

    seed: int
    cloud: str
    noise: AddressNoise
    epoch: int = 1

    @property
    def flight(self) -> int:
        """Seed of scan and address table."""
        return self.seed + LATER_FLIGHT * (self.epoch - 1)


class Survey:
    """All files of one epoch, filled quarter by quarter; a context, which ends them."""

    def __init__(self, paths: SamplePaths, wanted: Wanted) -> None:
        self.paths, self.wanted = paths, wanted
        self._footprints = FootprintFile(paths.footprints)
        self._communities: set[Community] = set()
        from_excel = (
            paths.addresses, paths.addresses_full, paths.households, paths.organisations,
        )  # fmt: skip
        self._tables = {path: TableFile(path, bom=path in from_excel) for path in paths.tables}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._footprints.__exit__(kind, error, trace)
        if kind is None:
            rows = division_table(self._communities)
            append_layer(self.paths.divisions, "divisions", division_frame(rows))

    def add(
        self,
        quarter: Quarter,
        there: Sequence[Sequence[Building]],
        *,
        order: Sequence[Building] | None = None,
        changes: Sequence[Change] = (),
    ) -> None:
        """Survey a quarter, whose buildings stand `there` by block, listed in some order."""
        uses = {
            b.number: occupancy(b, self.wanted.seed) for buildings in there for b in buildings
        }
        where = {
            b.number: community_of(block)
            for block, buildings in zip(quarter.blocks, there, strict=True)
            for b in buildings
        }
        self._communities.update(community_of(block) for block in quarter.blocks)
        listed = list(order or [b for buildings in there for b in buildings])
        known = [uses[b.number] for b in listed]
        self._footprints.write(footprint_frame(listed, known))
        communities = [where[b.number] for b in listed]
        paths = self.paths
        self._tables[paths.truth_buildings].write(truth_columns(listed, known, communities))
        self._tables[paths.truth_roofs].write(roof_columns(listed))
        for block, buildings in zip(quarter.blocks, there, strict=True):
            self._add_addresses(block, buildings, [uses[b.number] for b in buildings])
        if paths.truth_changes:
            self._tables[paths.truth_changes].write(change_columns(changes))
        if self.wanted.cloud != "none":
            self._fly(quarter, there)

    def _add_addresses(
        self, block: Block, buildings: Sequence[Building], uses: Sequence[Occupancy]
    ) -> None:
        """Write the addresses of a block, and what is counted by address."""
        seed, noise, paths = self.wanted.flight, self.wanted.noise, self.paths
        entries = block_addresses(block, buildings, uses, self.wanted.seed)
        plain = [entry.address for entry in entries]
        written = as_written(plain, noise, seed, 3 * block.number)
        self._tables[paths.addresses].write(address_columns(written))
        self._tables[paths.truth_links].write(link_columns(plain))
        self._tables[paths.households].write(household_columns(entries))
        own = {a.building_id: a for a in reversed(plain) if a.building_id}
        firms = [
            firm
            for b, use in zip(buildings, uses, strict=True)
            for firm in organisations(own[b.building_id], use, b.number, self.wanted.seed)
        ]
        self._tables[paths.organisations].write(organisation_columns(firms))
        if paths.addresses_full and paths.truth_links_full:
            estate = estate_of(block)
            everything = _all_rows(estate, entries)
            truth = estate_links(estate, buildings) if estate else []
            rooms = [a for a, is_room in everything if is_room]
            spoilt = iter(as_written(rooms, noise, seed, 3 * block.number + 1))
            plain_rows = iter(written)
            head = as_written([estate], noise, seed, 3 * block.number + 2) if estate else []
            rows = [next(spoilt if is_room else plain_rows) for _, is_room in everything]
            self._tables[paths.addresses_full].write(police_columns([*head, *rows]))
            links = link_columns([*truth, *(a for a, _ in everything)])
            self._tables[paths.truth_links_full].write(links)

    def _fly(self, quarter: Quarter, there: Sequence[Sequence[Building]]) -> None:
        """Write the points of a quarter."""
        seed, flight, cloud = self.wanted.seed, self.wanted.flight, self.wanted.cloud
        pairs = list(zip(quarter.blocks, there, strict=True))
        path = self.paths.points / f"sample_{quarter.column:02d}_{quarter.row:02d}.laz"
        if cloud == "photogrammetric":
            parts = [photograph_block(b, built, seed, flight=flight) for b, built in pairs]
            xyz = np.concatenate([part.xyz for part in parts])
            rgb = np.concatenate([part.rgb for part in parts])
            classes = np.zeros(len(xyz), dtype=np.uint8)
            more = dict(zip(("red", "green", "blue"), rgb.T, strict=True))
        else:
            thinned = cloud == "classified"
            returns, more = in_flight_order(
                join(
                    [scan_block(b, t, seed, flight=flight, thinned=thinned) for b, t in pairs]
                ),
                years=YEARS * (self.wanted.epoch - 1),
            )
            xyz, classes = returns.xyz, returns.classification
            if not thinned:
                classes = np.full(len(xyz), UNCLASSIFIED, dtype=np.uint8)
        crs = f"{CRS}+{HEIGHTS}"
        write_points(path, xyz, classes, crs=crs, attributes=more, scale=POINT_SCALE)


def _all_rows(estate: Address | None, entries: Sequence[Entry]) -> list[tuple[Address, bool]]:
    """Addresses with the floors and rooms behind them; whether each is a floor or room."""
    rows = []
    for entry in entries:
        rows.append((entry.address, False))
        rows += [(address, True) for address in rooms_behind(entry)]
    return rows
