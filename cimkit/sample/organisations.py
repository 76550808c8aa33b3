"""Organisations (实有单位) with codes of the right form that nobody was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cimkit.codes.modulus import SYSTEMS
from cimkit.sample.addresses import Address
from cimkit.sample.names import organisation_name
from cimkit.sample.occupancy import Occupancy
from cimkit.sample.streams import stream

_TRADES = ("商贸", "餐饮", "装饰", "物流", "信息技术", "家政服务", "图书", "超市")

_ALPHABET = SYSTEMS["gb32100"].alphabet


class Organisation(NamedTuple):
    """An organisation at an address."""

    code: str
    name: str
    address_id: str
    building_id: str


def organisations(
    address: Address, use: Occupancy, number: int, seed: int
) -> Iterator[Organisation]:
    """Organisations of the number-th building, all at the address of the building."""
    trade = stream(seed, "organisation", number)
    for k in range(use.organisations):
        serial = 32 * number + k
        name = organisation_name(serial, _TRADES[int(trade.integers(len(_TRADES)))])
        code = credit_code(address.community.county_code, serial)
        yield Organisation(code, name, address.address_id, address.building_id)


def credit_code(county: str, serial: int) -> str:
    """Unified social credit code (统一社会信用代码, GB 32100-2015) with valid check characters.

    Parameters
    ----------
    county : str
        6 digits.
    serial : int
        Below 31^7. The organisation part begins with X, as no code seen so far does.

    Notes
    -----
    The organisation part is checked as GB 11714 says, the whole modulo 31.

    Examples
    --------
    >>> credit_code("421002", 0)
    '91421002X000000009'
    """
    body = "X" + "".join(_ALPHABET[serial // 31**k % 31] for k in reversed(range(7)))
    return _checked("gb32100", f"91{county}{_checked('gb11714', body)}")


def _checked(system: str, body: str) -> str:
    """A body with its check; `cimkit.codes.modulus` is for many at once, and slow for one."""
    rule = SYSTEMS[system]
    total = sum(w * rule.alphabet.index(c) for w, c in zip(rule.weights, body, strict=True))
    return body + rule.checks[-total % rule.modulus]
