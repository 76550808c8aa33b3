"""What a register tells those who only look: history, lineage, decisions, addresses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from cimkit.register.addresses import read_address_changes, read_addresses, read_links
from cimkit.register.history import (
    ADDRESSES_SINCE,
    check_format,
    read_changes,
    read_decisions,
    read_lineage,
    read_mark,
)
from cimkit.register.place import Place, existing_register, open_register
from cimkit.register.session import Backend, Session
from cimkit.tables.changes import Change, HistoryMark
from cimkit.tables.coderecords import Lineage
from cimkit.tables.reviews import Reviews

Told = TypeVar("Told")


class Holdings(NamedTuple):
    """Addresses of a register, their links, and what happened to them: rows by column."""

    addresses: list[dict[str, Any]]
    links: list[dict[str, Any]]
    changes: list[dict[str, Any]]


def read_holdings(place: Place, *, address_id: str = "") -> Holdings:
    """The addresses of a register, also of one that was moved.

    Parameters
    ----------
    place : str or Path
    address_id : str
        Changes of this one only; "" for those of all.

    Raises
    ------
    StoreError
        If there is no register.
    """
    with existing_register(place).session(write=False) as session:
        if not session.crs() or check_format(session) < ADDRESSES_SINCE:
            return Holdings([], [], [])
        return Holdings(
            read_addresses(session),
            read_links(session),
            read_address_changes(session, address_id),
        )


def register_crs(place: Place) -> str:
    """CRS of the outlines in a register; "" for one without any code.

    Raises
    ------
    StoreError
        If there is no register.
    """
    with existing_register(place).session(write=False) as session:
        return session.crs()


def read_history(place: Place, *, after: int = 0) -> list[Change]:
    """What happened to the codes of a register, the oldest change first.

    Parameters
    ----------
    place : str or Path
        The register.
    after : int
        Leave out changes up to this number.

    Raises
    ------
    StoreError
        If there is no register.
    """
    return _told(existing_register(place), partial(read_changes, after=after), [])


def history_mark(place: Place, number: int | None = None) -> HistoryMark:
    """How far the history of a register goes, or what stands in it at a number.

    No two registers have the same mark, but one that was copied or moved.

    Raises
    ------
    StoreError
        If there is no register.
    """
    read = partial(read_mark, number=number)
    return _told(existing_register(place), read, HistoryMark(0, ""))


def read_descent(place: Place) -> Lineage:
    """What the buildings of a register came from, by code.

    Raises
    ------
    StoreError
        If there is no register.
    """
    return _told(existing_register(place), read_lineage, Lineage.empty())


def read_register_reviews(place: Place) -> Reviews:
    """What people have decided about links; nothing in a register that is not there yet.

    Raises
    ------
    StoreError
        If it is damaged, or no register.
    """
    backend = open_register(place)
    if not backend.is_there():
        return Reviews.empty()
    return _told(backend, read_decisions, Reviews.empty())


def _told(backend: Backend, read: Callable[[Session], Told], nothing: Told) -> Told:
    """What a register says; nothing where there are no codes yet."""
    with backend.session(write=False) as session:
        return read(session) if session.crs() else nothing
