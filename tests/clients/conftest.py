"""Node.js, the packages of `tests/js`, Chromium, and servers for what they look at."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import threading

import pytest

from tests.node import JS, install_packages, missing

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def node_modules():
    """Folder of the packages that tests need."""
    return install_packages()


@pytest.fixture(scope="session")
def chromium(node_modules):
    """Path of Chromium."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        missing("no Chromium: install chromium")
    return found


@pytest.fixture(scope="session")
def browse(chromium):
    """Run a program of `browser.mjs`; what it reports."""

    def run(program, url, **keys):
        asked = {"program": program, "url": url, "chromium": chromium, **keys}
        call = ["node", str(JS / "browser.mjs"), json.dumps(asked)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        # A line ends at \n alone: texts may hold other ends of lines.
        return json.loads(done.stdout.strip().split("\n")[-1])

    return run


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves folders under names of their own."""

    def __init__(self, *args, folders, **keys):
        self.folders = folders
        super().__init__(*args, **keys)

    def translate_path(self, path):
        first, _, rest = path.split("?")[0].removeprefix("/").partition("/")
        folder = self.folders.get(first)
        return str(folder / rest) if folder else str(JS / "cesium.html")

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def served(**folders):
    """Address under which some folders are served; "/" is the page with CesiumJS."""
    handler = functools.partial(_Files, folders=folders)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
