"""Registers in files and in a database: what holds for one holds for the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.register.registers import build, city, numbers


@pytest.fixture(params=["geopackage", "postgis"])
def new_place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], str]]:
    """Places without a register, as many as are asked for, on one back end after the other."""
    yield from places(request.param, request, tmp_path_factory)


def places(kind: str, request: Any, folders: Any) -> Iterator[Callable[[], str]]:
    """Places on one back end."""
    if kind == "geopackage":
        folder = folders.mktemp("registers")
        yield lambda: str(folder / f"城市#{next(numbers)}.register.gpkg")
        return
    server = request.getfixturevalue("postgres")
    yield lambda: server.url(f"city{next(numbers)}")


@pytest.fixture
def place(new_place: Callable[[], str]) -> str:
    """A place without a register."""
    return new_place()


@pytest.fixture
def register(place: str) -> str:
    """A register of three active codes."""
    build(place, city([0, 1, 2]))
    return place
