"""Modules of the page that need no browser, by the test runner of Node.js."""

from __future__ import annotations

import shutil
import subprocess

from tests.conftest import ROOT
from tests.node import JS, missing


def test_words_colours_and_frame():
    node = shutil.which("node")
    if node is None or not (ROOT / "cimkit" / "view" / "node_modules" / "three").is_dir():
        missing("node, or the packages of the page, are not there: npm ci in cimkit/view")
    call = [node, "--test", str(JS / "page.test.mjs")]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
