"""What a user installs is enough, and what is missing is named before any work."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib

import pytest

import cimkit
from cimkit.errors import ParameterError
from cimkit.job import Job
from cimkit.products import LIBRARIES, libraries_of
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULE_OF = {
    "pandas": "geopandas",
    "llvmlite": "numba",
    "click": "typer",
    "affine": "rasterio",
    "lazrs": "laspy",
}
"""What comes with a distribution that is declared."""


def names(requirements):
    return {re.split(r"[\[<>=!;~ ]", line)[0].lower() for line in requirements}


def imported(at_the_top):
    """Third-party modules that cimkit imports, all or only those at the top of a module."""
    found = set()
    for path in (ROOT / "cimkit").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body if at_the_top else ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[0])
    return found - set(sys.stdlib_module_names) - {"cimkit", "__future__"}


def test_what_every_build_imports_is_in_the_core():
    core = names(PROJECT["dependencies"])
    assert {MODULE_OF.get(module, module) for module in imported(True)} <= core


def test_what_one_feature_imports_is_in_an_extra_of_users():
    extras = PROJECT["optional-dependencies"]
    users = set().union(*(names(extras[e]) for e in extras if e not in ("test", "dev", "docs")))
    known = names(PROJECT["dependencies"]) | users
    assert {MODULE_OF.get(module, module) for module in imported(False)} <= known


def test_the_lock_of_users_holds_what_a_manifest_names():
    """A city made by `make demo` states the same libraries as one made by the tests."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert set(libraries_of(Job(footprints="a", crs="EPSG:4546", point_tiles=True))) <= (
        locked | {"cimkit"}
    )
    assert "meshopt" in LIBRARIES
    assert "py3dtiles" not in LIBRARIES


def test_points_without_py3dtiles_are_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "py3dtiles", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r'pip install "cimkit\[points\]"'):
        cimkit.build(
            tmp_path / "city", footprints="none.gpkg", crs="EPSG:4546", point_tiles=True
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("first", ["", "import numba; "])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_cache_is_ours_and_as_old_as_the_contents(tmp_path, first, elsewhere):
    code = (
        f"{first}from cimkit.kernels.orientation import orientation; "
        "import cimkit.kernels._jit as j; "
        "cache = orientation._cache; import numba; "
        "print(cache.cache_path.startswith(j.CACHE_FOLDER), "
        "cache._cache_file._source_stamp == j.STATE, numba.config.CACHE_DIR)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    theirs = str(tmp_path / "theirs")
    if elsewhere:
        environment["NUMBA_CACHE_DIR"] = theirs
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True", *([theirs] if elsewhere else [])]
