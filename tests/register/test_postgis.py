"""The register in a database: rights, locks, servers that go away, passwords."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import cimkit.register.postgis as postgis
from cimkit.errors import ParameterError, StoreError
from cimkit.register import (
    activate,
    open_register,
    read_history,
    read_register,
    register_crs,
    reserve,
)
from cimkit.steps.encode import encode
from cimkit.tables.coderecords import CodeRecords
from tests.postgres import running_server
from tests.register.registers import CRS, NO_CODES, build, city, numbers, states, tables


@pytest.fixture
def place(postgres):
    return postgres.url(f"city{next(numbers)}")


@pytest.fixture
def register(place):
    build(place, city([0, 1, 2]))
    return place


def admin(postgres, statement, database="postgres"):
    """Run a statement as the owner of the server; its rows, if it has any."""
    url = postgres.url(database=database).partition("?")[0]
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def schema_of(place):
    return place.partition("schema=")[2]


def test_gis_programs_open_it(postgres, register):
    build(register, city([0, 2, 5]))
    schema = schema_of(register)
    (layer,) = admin(
        postgres,
        "SELECT f_table_name, srid, coord_dimension FROM geometry_columns "
        f"WHERE f_table_schema = '{schema}'",
    )
    assert layer == ("codes", 4546, 2)
    found = admin(postgres, f"SELECT state, ST_Area(geom) FROM {schema}.codes ORDER BY fid")
    assert sorted(found) == [("active", 128.0)] * 3 + [("retired", 128.0)]
    (box,) = admin(postgres, f"SELECT ST_Extent(geom)::text FROM {schema}.codes")
    assert box == ("BOX(500000 3300000,500112 3300012)",)


def test_a_crs_without_a_number_is_kept(postgres, place):
    local = "+proj=tmerc +lon_0=112.25 +x_0=500000 +ellps=GRS80 +units=m"
    listed = admin(postgres, "SELECT count(*) FROM spatial_ref_sys")
    codes = build(place, city([0, 1], local)).codes.tolist()
    assert build(place, city([0, 1], local)).codes.tolist() == codes
    assert "112.25" in register_crs(place)
    assert admin(postgres, "SELECT count(*) FROM spatial_ref_sys") == listed


def test_registers_of_one_database_do_not_see_each_other(postgres, register):
    other = postgres.url(f"city{next(numbers)}")
    codes = build(other, city([5])).codes.tolist()
    assert list(states(other)) == codes
    assert len(states(register)) == 3
    assert open_register(other).identity() != open_register(register).identity()
    again = register.replace("cim@", "cim:secret@")
    assert open_register(again).identity() == open_register(register).identity()


def test_equal_builds_leave_equal_tables(postgres, register):
    """Also their numbers: those of what was taken back do not count."""
    other = postgres.url(f"city{next(numbers)}")
    build(other, city([0, 1, 2]))
    lost = encode(city([0, 1, 2, 9]), CodeRecords.empty(CRS)).fresh
    with pytest.raises(StoreError):
        reserve(other, lost)
    for place in (register, other):
        build(place, city([0, 3]))
    assert tables(register) == tables(other)


def test_a_lock_that_stays_is_told_and_readers_do_not_wait(register, monkeypatch):
    monkeypatch.setattr(postgis, "LOCK_WAIT_S", 0.05)
    fresh = encode(city([9]), read_register(register, CRS)).fresh
    before = tables(register)
    with open_register(register).session(write=True) as other:
        other.change("UPDATE codes SET state = 'retired'")
        with pytest.raises(StoreError, match="another program is writing"):
            reserve(register, fresh)
        assert tables(register) == before
        other.change("UPDATE codes SET state = 'active'")
    reserve(register, fresh)


def test_rows_that_another_program_holds_are_told(postgres, register, monkeypatch):
    monkeypatch.setattr(postgis, "LOCK_WAIT_S", 0.05)
    made = encode(city([0, 1]), read_register(register, CRS))
    url = postgres.url().partition("?")[0]
    with psycopg.connect(url) as editor:
        editor.execute(f"UPDATE {schema_of(register)}.codes SET state = 'active'".encode())
        with pytest.raises(StoreError, match="another program is writing"):
            activate(register, made.codes, city([0, 1]), made.retired)


DYING = """
import os, sys
from cimkit.register import open_register
with open_register(sys.argv[1]).session(write=True) as session:
    session.change("UPDATE codes SET state = 'retired'")
    os._exit(9)
"""


def test_a_process_that_dies_while_writing_changes_nothing(register):
    before = tables(register)
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", DYING, register], cwd=root, check=False)
    assert done.returncode == 9
    assert tables(register) == before
    build(register, city([0, 5]))


def cut_while_writing(place):
    with open_register(place).session(write=True) as session:
        session.change("UPDATE codes SET state = 'retired'")
        ((own,),) = session.read("SELECT pg_backend_pid()")
        with open_register(place).session(write=False) as other:
            other.read("SELECT pg_terminate_backend(?)", (own,))
        session.change("UPDATE codes SET state = 'active'")


def test_a_connection_that_is_cut_changes_nothing(register):
    before = tables(register)
    with pytest.raises(StoreError, match=r"cannot be reached.*run again"):
        cut_while_writing(register)
    assert tables(register) == before


def test_a_server_that_is_away_is_told():
    with running_server() as server:
        place = server.url()
        build(place, city([0, 1]))
        before = tables(place)
        fresh = encode(city([0, 1, 2]), read_register(place, CRS)).fresh
        server.stop()
        for act in (
            lambda: reserve(place, fresh),
            lambda: activate(place, NO_CODES, city([]), NO_CODES),
            lambda: read_register(place, CRS),
            lambda: read_history(place),
        ):
            with pytest.raises(StoreError, match=r"cannot be reached.*run again"):
                act()
        server.start()
        assert tables(place) == before
        reserve(place, fresh)


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE {0}.register_crs",
        "DROP TABLE {0}.codes CASCADE",
        "DELETE FROM {0}.register_crs",
        "ALTER TABLE {0}.codes DROP COLUMN state",
        "UPDATE {0}.codes SET code = '42100299O100001000123' WHERE fid = 1",
        "UPDATE {0}.codes SET geom = ST_SetSRID(ST_MakePoint(1, 2), 4546) WHERE fid = 1",
    ],
)
def test_damaged_registers_are_refused(postgres, register, damage):
    admin(postgres, damage.format(schema_of(register)))
    with pytest.raises(StoreError, match="Bring it back from a backup"):
        read_register(register, CRS)


def test_tables_of_other_programs_are_left_alone(postgres, place):
    schema = schema_of(place)
    admin(postgres, f"CREATE SCHEMA {schema}")
    admin(postgres, f"CREATE TABLE {schema}.codes AS SELECT 7 AS mine")
    fresh = encode(city([0]), CodeRecords.empty(CRS)).fresh
    for act in (lambda: reserve(place, fresh), lambda: read_register(place, CRS)):
        with pytest.raises(StoreError, match="has no layer 'codes' with a CRS"):
            act()
    assert admin(postgres, f"SELECT mine FROM {schema}.codes") == [(7,)]


def test_users_with_few_rights(postgres, place):
    """Such a user may build once the administrator has made the schema, and no more."""
    schema = schema_of(place)
    admin(postgres, f"CREATE ROLE u_{schema} LOGIN")
    theirs = place.replace("cim@", f"u_{schema}@")
    build(place, city([0]))
    admin(postgres, f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC")
    with pytest.raises(StoreError, match="Ask the administrator"):
        read_register(theirs, CRS)
    own = postgres.url(f"own_{schema}").replace("cim@", f"u_{schema}@")
    with pytest.raises(StoreError, match="Ask the administrator"):
        build(own, city([0]))
    admin(postgres, f"CREATE SCHEMA own_{schema} AUTHORIZATION u_{schema}")
    build(own, city([0]))
    build(own, city([0, 1]))
    assert open_register(own).identity().endswith(f"own_{schema}")


def test_a_database_without_postgis_says_what_it_takes(postgres, place):
    name = schema_of(place)
    admin(postgres, f"CREATE ROLE bare_{name} LOGIN")
    admin(postgres, f"CREATE DATABASE bare_{name} OWNER bare_{name}")
    theirs = postgres.url(name, f"bare_{name}").replace("cim@", f"bare_{name}@")
    ((trusted,),) = admin(
        postgres,
        "SELECT trusted FROM pg_available_extension_versions WHERE name = 'postgis' "
        "ORDER BY trusted DESC LIMIT 1",
    )
    if not trusted:
        with pytest.raises(StoreError, match="Ask the administrator"):
            build(theirs, city([0]))
        admin(postgres, "CREATE EXTENSION postgis", f"bare_{name}")
    build(theirs, city([0]))
    assert len(states(theirs)) == 1


def test_a_database_that_cannot_hold_chinese_says_so(postgres, place):
    name = schema_of(place)
    admin(postgres, f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreError, match="ENCODING 'UTF8'"):
        build(postgres.url(name, name), city([0]))
    assert not open_register(postgres.url(name, name)).is_there()


def test_no_message_holds_a_password(postgres, tmp_path):
    folder = str(tmp_path).replace("/", "%2F")
    for url in (
        f"postgresql://cim:geheim@{folder}/city",
        f"postgresql://cim@{folder}/city?password=geheim",
        f"postgresql://cim:geheim@{folder}/city?nonsense=1",
        postgres.url(database="absent").replace("cim@", "cim:geheim@"),
    ):
        with pytest.raises(StoreError) as caught:
            read_register(url, CRS)
        error: BaseException | None = caught.value
        while error is not None:
            assert "geheim" not in f"{error} {error!r}"
            error = error.__cause__ or (
                None if error.__suppress_context__ else error.__context__
            )
    for url in ("postgresql://cim:ge/heim@host/city", "postgresql://cim:ge@heim@host/city"):
        with pytest.raises(ParameterError) as refused:
            read_register(url, CRS)
        assert "heim" not in str(refused.value)


def test_an_option_of_the_address_is_used(register):
    slow = f"{register}&application_name=cimkit_test"
    with open_register(slow).session(write=False) as session:
        assert session.read("SHOW application_name") == [("cimkit_test",)]
