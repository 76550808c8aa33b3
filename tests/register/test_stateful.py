"""No history of builds, deaths, rivals and reviews gives a code twice or loses a decision."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.register.histories import HISTORIES, Build, Race, World
from tests.register.registers import numbers

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def in_files(folder, n, luck=0, **options):
    """Run histories, each on a file of its own."""

    @seed(luck)
    @settings(max_examples=n, deadline=None, suppress_health_check=CHECKS, **options)
    @given(HISTORIES)
    def run(steps):
        path = Path(folder) / f"{next(numbers)}.gpkg"
        try:
            World(str(path)).run(steps)
        finally:
            path.unlink(missing_ok=True)

    run()


def in_database(server, n, luck=0, **options):
    """Run histories, each in a schema of its own."""

    @seed(luck)
    @settings(max_examples=n, deadline=None, suppress_health_check=CHECKS, **options)
    @given(HISTORIES)
    def run(steps):
        schema = f"history{next(numbers)}"
        try:
            World(server.url(schema)).run(steps)
        finally:
            url = server.url().partition("?")[0]
            with suppress(psycopg.Error), psycopg.connect(url) as connection:
                connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())

    run()


def test_two_hundred_histories_in_files(tmp_path):
    in_files(tmp_path, 200)


def test_fifty_histories_in_a_database(postgres):
    in_database(postgres, 50)


def test_two_cities_that_noted_the_same_code(place):
    """Both dead builds noted it for the same house; only one of them came to reserve it."""
    dead = Race(
        Build(0, [(0, 1)], "torn reserve", 1, []), Build(1, [(0, 1)], "reserved", 1, [])
    )
    World(place).run([dead, Race(Build(0, [(0, 1)], "", 1, []), Build(1, [(2, 6)], "", 1, []))])


def test_a_code_that_a_rival_reserved_for_the_same_house(place):
    """The other city shows it there, though its build is not recorded."""
    both = Race(
        Build(0, [(0, 1), (1, 5), (5, 6)], "torn reserve", 1, []),
        Build(1, [(0, 2), (2, 5), (5, 6)], "committed", 1, []),
    )
    World(place).run([both, Build(0, [(0, 1)], "", 1, [])])


def test_what_a_dead_build_shows_and_another_has_retired(place):
    """Nobody has recorded where its city shows the code; only that city can tell."""
    steps: list[Build | Race] = [
        Build(0, [(3, 5)], "", 1, []),
        Build(0, [(3, 4)], "committed", 1, []),
        Build(1, [(2, 6)], "", 1, []),
        Build(0, [(4, 5)], "", 1, []),
    ]
    World(place).run(steps)


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_a_dead_build_redraws_and_another_keeps_as_it_was(place, goes_on):
    """The other city has read before the claim: it is sent away, and sees it then."""
    steps: list[Build | Race] = [
        Build(0, [(0, 1)], "", 1, []),
        Build(0, [(3, 6)], "", 1, []),
        Build(0, [(1, 5), (5, 6)], "", 1, []),
        Race(Build(0, [(3, 6)], "committed", 1, []), Build(1, [(5, 6)], "", 1, [])),
        *([Build(1, [(5, 6)], "", 1, [])] if goes_on else []),
        Build(0, [(3, 5)], "", 1, []),
    ]
    World(place).run(steps)


def test_two_deaths_after_the_commit(place):
    """Both cities keep a code of the house that was split, and neither is recorded."""
    steps: list[Build | Race] = [
        Build(0, [(0, 1)], "", 1, []),
        Build(0, [(0, 3)], "", 1, []),
        Build(0, [(0, 2)], "committed", 1, []),
        Build(1, [(1, 3)], "committed", 1, []),
        Race(Build(0, [(0, 1)], "", 1, []), Build(1, [(0, 1)], "", 1, [])),
    ]
    World(place).run(steps)


@pytest.mark.slow
@pytest.mark.parametrize("luck", range(1, 21))
def test_a_hundred_thousand_histories_in_files(tmp_path, luck):
    in_files(tmp_path, 5_000, luck, derandomize=False, database=None)


@pytest.mark.slow
def test_five_hundred_histories_in_a_database(postgres):
    in_database(postgres, 500, 1, derandomize=False, database=None)
