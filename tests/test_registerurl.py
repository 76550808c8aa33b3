"""Addresses of registers, and that no password of one is ever shown."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.errors import ParameterError
from cimkit.job import Job
from cimkit.registerurl import is_url, parse_address, shown


@pytest.mark.parametrize(
    ("given_url", "said"),
    [
        ("postgresql://h/db", "postgresql://h/db"),
        ("postgres://h:5433,[::1]:5434/db", "postgresql://h:5433,[::1]:5434/db"),
        ("postgresql:///db?host=%2Frun&password=x", "postgresql:///db?host=%2Frun"),
        ("postgresql://u:p%40x@h?sslkey=k&schema=a", "postgresql://u@h?schema=a"),
        ("postgresql://u:p@x@h/db", "postgresql://..."),
        ("postgresql://h/db#p@x", "postgresql://..."),
        ("postgresql:u:p", "postgresql://..."),
        ("a/postgresql.gpkg", "a/postgresql.gpkg"),
    ],
)
def test_shown(given_url, said):
    assert shown(given_url) == said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:/h/db",
        "postgresql://u:p@x@h/db",
        "postgresql://u:p x@h/db",
        "postgresql://u:p/x@h/db",
        "postgresql://h:port/db",
        "postgresql://h/db?schema=Ä",
        "postgresql://h/db?schema=a%22b",
        "postgresql://h/db?schema=pg_own",
        "postgresql://h/db?schema=",
        "POSTGRESQL://h/db",
    ],
)
def test_what_is_no_address_is_refused(url):
    assert is_url(url)
    with pytest.raises(ParameterError, match=r"^register: "):
        parse_address(url)
    with pytest.raises(ParameterError, match=r"^register: "):
        Job(footprints="a.gpkg", crs="EPSG:4546", register=url)


@given(st.text(min_size=1), st.booleans())
def test_no_password_is_shown(text, encoded):
    secret = f"Q{text}Z"
    url = f"postgresql://u:{quote(secret, safe='') if encoded else secret}@h/db?schema=a"
    assert secret not in shown(url)
    assert re.search("Q.*Z", shown(url), re.DOTALL) is None
    job_or_error = shown(url)
    try:
        job_or_error += repr(Job(footprints="a.gpkg", crs="EPSG:4546", register=url))
    except ParameterError as error:
        job_or_error += str(error)
    assert secret not in job_or_error
    if encoded:
        assert parse_address(url).schema == "a"
