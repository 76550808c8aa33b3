"""Organisations (实有单位) with codes of the right form that nobody was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cimkit.sample.addresses import Address
from cimkit.sample.names import organisation_name
from cimkit.sample.occupancy import Occupancy
from cimkit.sample.streams import stream

_TRADES = ("商贸", "餐饮", "装饰", "物流", "信息技术", "家政服务", "图书", "超市")

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_BODY_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


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
    '91421002X00000000P'
    """
    body = "X" + "".join(_ALPHABET[serial // 31**k % 31] for k in reversed(range(7)))
    total = sum(w * int(c, 36) for w, c in zip(_BODY_WEIGHTS, body, strict=True))
    rest = 11 - total % 11
    body += "X" if rest == 10 else str(rest % 11)
    code = f"91{county}{body}"
    total = sum(pow(3, i, 31) * _ALPHABET.index(c) for i, c in enumerate(code))
    return code + _ALPHABET[-total % 31]
