"""Where a register lies: a file, or the address of a database.

An address may hold a password. It is never shown, stored or put into a message: whatever speaks
of a register uses `shown`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cimkit.errors import ParameterError

SCHEMA = "cimkit"
"""Schema of the tables, unless the address names one: a database may hold many registers."""

_START = re.compile(r"postgres(ql)?:", re.IGNORECASE)
_URL = re.compile(
    r"postgres(?:ql)?://"
    r"(?:(?P<user>[^:@/?#\s]*)(?::[^:@/?#\s]*)?@)?"
    r"(?P<hosts>(?:\[[0-9A-Fa-f:.]+\]|[^:@/?#\[\],\s]*)(?::\d+)?"
    r"(?:,(?:\[[0-9A-Fa-f:.]+\]|[^:@/?#\[\],\s]*)(?::\d+)?)*)"
    r"(?P<database>/[^@/?#\s]*)?"
    r"(?:\?(?P<query>[^?#\s]*))?"
)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SHOWN = ("host", "hostaddr", "port", "dbname", "user")
"""What of the query may be seen; other keys can hold a secret or the path to one."""


class Address(NamedTuple):
    """Address of a register in a database.

    Attributes
    ----------
    url : str
        For the client library, with the password if there is one.
    schema : str
        Of the tables.
    """

    url: str
    schema: str


def is_url(register: str) -> bool:
    """Whether a register is a database, not a file.

    Examples
    --------
    >>> is_url("postgresql://localhost/city"), is_url("city.register.gpkg")
    (True, False)
    """
    return bool(_START.match(register))


def shown(register: str) -> str:
    """A register as it may be shown: without password.

    Examples
    --------
    >>> shown("postgresql://wang:secret@db/city?schema=wuhan&password=secret")
    'postgresql://wang@db/city?schema=wuhan'
    >>> shown("postgresql://wang:se/cret@db/city")  # where does the password end?
    'postgresql://...'
    >>> shown("city.register.gpkg")
    'city.register.gpkg'
    """
    if not is_url(register):
        return register
    found = _URL.fullmatch(register)
    if not found:
        return "postgresql://..."
    user = f"{found['user']}@" if found["user"] else ""
    pairs = [pair for pair in _pairs(found) if pair.partition("=")[0] in (*_SHOWN, "schema")]
    query = f"?{'&'.join(pairs)}" if pairs else ""
    return f"postgresql://{user}{found['hosts']}{found['database'] or ''}{query}"


def parse_address(register: str) -> Address:
    """The address of a database and the schema in it.

    Raises
    ------
    ParameterError
        If it is none, or the schema has no plain name. The message does not repeat it.

    Examples
    --------
    >>> parse_address("postgresql://db/city?schema=wuhan&connect_timeout=3")
    Address(url='postgresql://db/city?connect_timeout=3', schema='wuhan')
    >>> parse_address("postgresql://db/city").schema
    'cimkit'
    """
    found = _URL.fullmatch(register)
    if not found:
        raise ParameterError(
            "register: is no address such as postgresql://user@host/database?schema=city. "
            "Write @ : / ? # in a password as %40 %3A %2F %3F %23, or leave it to ~/.pgpass."
        )
    schema, rest = SCHEMA, []
    for pair in _pairs(found):
        key, _, value = pair.partition("=")
        if key == "schema":
            schema = value
        else:
            rest.append(pair)
    if not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise ParameterError(
            f"register: schema {schema!r}: lower case letters, digits and _ alone, at most 63, "
            "no digit and no pg_ first"
        )
    base = register.partition("?")[0]
    return Address(f"{base}?{'&'.join(rest)}" if rest else base, schema)


def _pairs(found: re.Match[str]) -> list[str]:
    return [pair for pair in (found["query"] or "").split("&") if pair]
