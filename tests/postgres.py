"""A PostgreSQL server of the tests' own: temporary folder, Unix socket, no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "postgres"
"""Account of Debian's package; the server refuses to run as root."""


def missing() -> str:
    """What keeps the tests from a server of their own; "" for nothing."""
    programs = binaries()
    if programs is None:
        return "no PostgreSQL server: apt-get install postgresql postgresql-15-postgis-3"
    share = subprocess.run(
        [programs / "pg_config", "--sharedir"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if not (Path(share) / "extension" / "postgis.control").is_file():
        return "no PostGIS: apt-get install postgresql-15-postgis-3"
    return ""


def binaries() -> Path | None:
    """Folder of initdb and pg_ctl: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=lambda path: int(path.parent.name), reverse=True)
    return next(
        (p for p in places if (p / "initdb").is_file() and (p / "pg_ctl").is_file()), None
    )


class Server:
    """A server that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        programs = binaries()
        assert programs is not None
        self.folder, self.programs = folder, programs
        self.run(
            "initdb",
            "-D",
            folder / "data",
            "-U",
            "cim",
            "-E",
            "UTF8",
            "--locale=C",
            "-A",
            "trust",
        )

    def run(self, program: str, *arguments: object) -> None:
        """Run one of the server's programs, as another user where we are root."""
        command = [str(self.programs / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = [
                "setpriv",
                f"--reuid={USER}",
                f"--regid={USER}",
                "--clear-groups",
                *command,
            ]
        log = self.folder / "programs.log"
        with log.open("a") as out:  # a pipe would stay open as long as the server runs
            done = subprocess.run(command, stdout=out, stderr=out, cwd="/", check=False)
        assert done.returncode == 0, log.read_text()

    def start(self) -> None:
        options = f"-c listen_addresses='' -k {self.folder} -c fsync=off"
        log = self.folder / "data" / "server.log"
        self.run("pg_ctl", "-D", self.folder / "data", "-l", log, "-o", options, "-w", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def url(self, schema: str = "cimkit", database: str = "postgres") -> str:
        folder = str(self.folder).replace("/", "%2F")
        return f"postgresql://cim@{folder}/{database}?schema={schema}"


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for the time of the block; its files are removed."""
    # Not below pytest's folder: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="cimkit-pg-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server of all tests of this process; skipped where the machine has none."""
    reason = missing()
    if reason and os.environ.get("CIMKIT_REQUIRE_ALL"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with running_server() as server:
        yield server
