"""Node.js and the packages of `tests/js`, installed once by whoever needs them first."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

JS = Path(__file__).parent / "js"
INSTALL = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]


def missing(reason: str) -> None:
    """Skip; or fail where everything must be there."""
    if os.environ.get("CIMKIT_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def install_packages() -> Path:
    """The folder of the packages; other workers wait until they are there."""
    if not (shutil.which("node") and shutil.which("npm")):
        missing("node and npm are not there: install nodejs and npm")
    lock = JS / "package-lock.json"
    packages, mark = JS / "node_modules", JS / "node_modules" / ".complete"
    with lock.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_bytes() != lock.read_bytes():
            done = subprocess.run(INSTALL, cwd=JS, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"npm ci failed:\n{done.stdout}\n{done.stderr}"
            mark.write_bytes(lock.read_bytes())
    return packages
