from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request

import pytest

from cimkit.view.page import is_built


def test_what_is_no_city_is_said(run, tmp_path) -> None:
    said = run("view", tmp_path)
    assert said.code == 3
    assert "is no city folder and no tileset" in said.err


def test_a_damaged_table_is_said_before_a_server_stands(run, city) -> None:
    (city / "city.gpkg").write_bytes(bytes(4096))
    said = run("view", city, "--no-browser")
    assert said.code == 3
    assert said.out == ""
    assert "city.gpkg: is damaged" in said.err


def test_a_city_without_manifest(run, city) -> None:
    (city / "manifest.json").unlink()
    said = run("view", city, "--no-browser")
    assert (said.code, said.out) == (3, "")
    assert "manifest.json" in said.err


@pytest.mark.skipif(not is_built(), reason="the page was not built: npm was not there")
def test_it_serves_until_it_is_interrupted(city) -> None:
    # Tests that run in the background are deaf to Ctrl-C, and so would this be.
    program = (
        "import signal\n"
        "from cimkit.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "main()\n"
    )
    call = [sys.executable, "-c", program, "view", str(city), "--no-browser"]
    shown = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert shown.stdout is not None
        url = shown.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}city.json", timeout=20) as answer:
            assert answer.status == 200
        shown.send_signal(signal.SIGINT)
        _, error = shown.communicate(timeout=20)
    finally:
        shown.kill()
        shown.communicate()
    assert (shown.returncode, error) == (0, "")
