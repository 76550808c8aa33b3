"""One small sample, built once for all tests of the command line, and a way to call it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import cimkit
from cimkit.cli import main
from cimkit.read.job import read_job


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Job file of a sample of twelve buildings."""
    return Path(cimkit.make_sample(tmp_path_factory.mktemp("cli"), buildings=12, seed=3).job)


@pytest.fixture(scope="session")
def built(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The city of the sample; nobody changes it."""
    out = tmp_path_factory.mktemp("built") / "city"
    cimkit.build(out, **read_job(sample), workers=1)
    return out


@pytest.fixture
def city(built: Path, tmp_path: Path) -> Path:
    """A copy of the city, to damage."""
    return Path(shutil.copytree(built, tmp_path / "city"))


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Call the command line in this process."""

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["cimkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        code = left.value.code
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    return call
