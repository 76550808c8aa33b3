"""Addresses as a register keeps them: what each says, and the buildings that it hangs on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cimkit.errors import CrsError
from cimkit.tables._columns import TextArray
from cimkit.tables.addresses import Addresses
from cimkit.tables.elements import ELEMENTS
from cimkit.tables.links import Links


class LinkRecord(NamedTuple):
    """A building of an address, by its permanent code."""

    building_code: str
    role: str
    rule: str
    confidence: float
    review_state: str


class AddressRecord(NamedTuple):
    """One address; x and y are None without a place.

    Attributes
    ----------
    elements : tuple of str
        In the order of `ELEMENTS`.
    links : tuple of LinkRecord
        By code of the building.
    """

    address_id: str
    address_text: str
    x: float | None
    y: float | None
    elements: tuple[str, ...]
    links: tuple[LinkRecord, ...]


class StandingAddresses(NamedTuple):
    """The addresses of a city with their links.

    Attributes
    ----------
    addresses : Addresses
    links : Links
        Of these addresses.
    building_id, code : text array, shape (n_buildings,)
        Identifier and permanent code of each building.
    data_set : str
        File of the addresses and its sum, for the history.
    """

    addresses: Addresses
    links: Links
    building_id: TextArray
    code: TextArray
    data_set: str = ""

    def records(self, crs: str) -> Iterator[AddressRecord]:
        """One record after the other, in their order, places to the millimetre in a CRS.

        Raises
        ------
        CrsError
            If no exact way leads into it.
        """
        rows = self.addresses
        x, y = _into(rows, crs)
        code_of = dict(zip(self.building_id.tolist(), self.code.tolist(), strict=True))
        links, own = self.links, defaultdict[str, list[LinkRecord]](list)
        columns = (links.role, links.rule, links.confidence.round(4), links.review_state)
        names = zip(links.address_id.tolist(), links.building_id.tolist(), strict=True)
        evidence = zip(*(column.tolist() for column in columns), strict=True)
        for (address, building), row in zip(names, evidence, strict=True):
            own[address].append(LinkRecord(code_of[building], *row))
        parts = (getattr(rows.elements, name).tolist() for name in ELEMENTS)
        told = zip(
            *(rows.address_id.tolist(), rows.address_text.tolist(), x, y),
            zip(*parts, strict=True),
            strict=True,
        )
        for name, text, east, north, elements in told:
            found = tuple(sorted(own.get(name, ())))
            yield AddressRecord(name, text, east, north, elements, found)


def _into(addresses: Addresses, crs: str) -> tuple[list[float | None], list[float | None]]:
    """Places in the horizontal part of a CRS."""
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    x, y = addresses.x, addresses.y
    if addresses.crs and crs and addresses.crs != crs:
        try:
            way = Transformer.from_crs(
                *(CRS(addresses.crs).to_2d(), CRS(crs).to_2d()),
                always_xy=True,
                allow_ballpark=False,
            )
            here = addresses.located
            x, y = x.copy(), y.copy()
            x[here], y[here] = way.transform(x[here].tolist(), y[here].tolist(), errcheck=True)
        except ProjError as error:
            raise CrsError(
                f"no exact way from {addresses.crs} to {crs}",
                where="addresses for the register",
                hint="Build in a CRS of the same datum as the code register.",
            ) from error
    return tuple(
        [None if np.isnan(v) else round(v, 3) for v in column.tolist()] for column in (x, y)
    )  # type: ignore[return-value]
