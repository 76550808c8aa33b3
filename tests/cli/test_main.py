"""Help, versions, and what an error looks like to a person."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cimkit
from cimkit.errors import FormatError, LimitError, ParameterError, StoreError, WorkerError

COMMANDS = ("demo", "info", "build", "check", "sample", "code")
HEAVY = {
    *("numpy", "numba", "shapely", "geopandas", "pandas", "pyogrio", "laspy", "lazrs"),
    *("rasterio", "pyproj", "trimesh", "scipy"),
}
CIMKIT = [sys.executable, "-m", "cimkit"]


def test_help_and_import_load_nothing_heavy() -> None:
    script = """
import contextlib, io, json, sys
import cimkit
from cimkit.cli import main
for command in ([], ["demo"], ["info"], ["build"], ["check"], ["sample"], ["code", "mint"]):
    sys.argv = ["cimkit", *command, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
        main()
    assert "Usage" in said.getvalue(), command
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(json.loads(done.stdout))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example_that_begins_with_it(run, command) -> None:
    said = run(command, "--help")
    assert said.code == 0
    assert f"Example: cimkit {command}" in " ".join(said.out.split())


def test_help_lists_commands_and_exit_codes(run) -> None:
    said = run("--help")
    assert all(f" {command} " in said.out for command in COMMANDS)
    assert "3 input" in said.out


def test_versions_name_the_native_libraries(run) -> None:
    said = run("--version")
    assert said.code == 0
    assert said.out.splitlines()[0] == f"cimkit {cimkit.__version__}"
    names = [line.split()[0] for line in said.out.splitlines()]
    assert names == ["cimkit", "GDAL", "GDAL", "GEOS", "PROJ", "numba", "lazrs"]
    assert all(line.split()[1][0].isdigit() for line in said.out.splitlines())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ParameterError("what"), 2),
        (FormatError("is cut off", path="a.laz"), 3),
        (LimitError("what"), 3),
        (StoreError("what"), 4),
        (WorkerError("decode a.laz"), 5),
        (OSError(errno.ENOSPC, "No space left on device"), 4),
        (ZeroDivisionError("division by zero"), 70),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_one_line_and_an_exit_code(run, monkeypatch, error, code) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("cimkit.pipeline.build", fail)
    arguments = ("build", "out", "--footprints", "a.shp", "--crs", "EPSG:7415")
    said = run(*arguments)
    assert (said.code, said.out) == (code, "")
    first, *others = said.err.splitlines()
    assert first == f"cimkit: {type(error).__name__}: {error}"
    assert others == (
        ["cimkit: this is a fault of cimkit; `cimkit --debug COMMAND ...` shows where"]
        if code == 70
        else []
    )
    said = run("--debug", *arguments)
    assert said.code == code
    assert said.err.startswith("Traceback")
    assert "in fail" in said.err
    assert first in said.err.splitlines()


def test_an_interrupt_leaves_with_130(run, monkeypatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cimkit.pipeline.build", interrupt)
    said = run("build", "out", "--footprints", "a.shp", "--crs", "EPSG:7415")
    assert said.code == 130
    assert said.err == "cimkit: interrupted; no city was left half written\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["bulid"], ["build"], ["build", "out", "--footprint"], ["build", "a", "--debug"]],
)
def test_wrong_usage_is_2(run, arguments) -> None:
    said = run(*arguments)
    assert said.code == 2
    assert "Traceback" not in said.err


def test_what_acts_on_a_terminal_is_written_out(run) -> None:
    said = run("check", "city\x1b[2J\nERROR \u202e\u9000")
    assert said.code == 3
    assert said.err.count("\n") == 1
    assert r"city\x1b[2J\nERROR \u202e退" in said.err


def test_a_terminal_that_knows_no_chinese_gets_escapes(sample: Path) -> None:
    done = subprocess.run(
        [*CIMKIT, "info", str(sample.parent / "addresses.csv")],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"address text: \u6807\u51c6\u5730\u5740" in done.stdout


def test_a_closed_pipe_is_silent(sample: Path) -> None:
    """As with ``| head``."""
    read, write = os.pipe()
    os.close(read)
    command = [*CIMKIT, "info", str(sample.parent / "addresses.csv")]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_behind_stdout_is_4() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*CIMKIT, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 4
    assert done.stderr == "cimkit: OSError: [Errno 28] No space left on device\n"
