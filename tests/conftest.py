"""Where real data lie, and what the tests share."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from tests.postgres import postgres as postgres

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("CIMKIT_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}: set CIMKIT_DATA")
    return DATA


# Compilation counts into the first example; and a run must not depend on luck.
hypothesis.settings.register_profile("cimkit", deadline=None, derandomize=True)
hypothesis.settings.load_profile("cimkit")
