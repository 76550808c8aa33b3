"""The floors of the design, enforced by reading the imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "cimkit"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = (
    ("tables", "errors", "limits", "job", "registerurl"),
    ("kernels", "codes"),
    ("read", "steps", "check", "write", "register", "analyse"),
    (
        *("pipeline", "execute", "blocks", "tasks", "inputs", "products", "interiors"),
        *("tiling", "tile_files", "point_layer"),
        *("registration", "linking", "counts"),
        *("sample", "plot", "export"),
    ),
    ("view", "serve"),
    ("cli",),
    ("__main__",),
)
FLOOR_OF_ROOM = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILE_ROOMS = {"read", "write", "register", "cli", "view"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports, also inside functions, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """Rooms of cimkit that a file imports from."""
    parts = (name.split(".") for name in imports(path))
    return {p[1] for p in parts if p[0] == "cimkit" and len(p) > 1} & set(FLOOR_OF_ROOM)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_import_climbs(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in FLOOR_OF_ROOM, f"{room} has no floor"
    for other in own_imports(path) - {room}:
        floors = FLOOR_OF_ROOM[other], FLOOR_OF_ROOM[room]
        assert floors[0] <= floors[1], f"{path} climbs to {other}"
        assert floors[0] < floors[1] or floors[1] in (0, 3), f"{path} looks sideways at {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_library_in_its_room(path: Path) -> None:
    room, names = room_of(path), {name.split(".")[0] for name in imports(path)}
    assert "numba" not in names or room == "kernels"
    if room not in FILE_ROOMS:
        assert not names & {"pathlib", "pyogrio", "laspy", "rasterio"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print" or room == "cli", f"{path}: print"
            assert node.func.id != "open" or room in FILE_ROOMS, f"{path}: open"


def test_no_circle_inside_a_room() -> None:
    modules = {
        ".".join(("cimkit", *p.relative_to(PACKAGE).with_suffix("").parts)): p for p in FILES
    }
    names = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    runtime = {
        name: {other for other in top_level_imports(path) if other in names and other != name}
        for name, path in names.items()
    }
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above, name))
        if name not in done:
            for other in sorted(runtime[name]):
                visit(other, (*above, name))
            done.add(name)

    for name in sorted(runtime):
        visit(name, ())


def top_level_imports(path: Path) -> Iterator[str]:
    """Modules imported when the file is imported (not those inside functions or for types)."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def test_lock_files_hold_no_address() -> None:
    locks = [*ROOT.glob("requirements*.lock"), *ROOT.glob("tests/js/package-lock.json")]
    assert len(locks) == 3
    for lock in locks:
        assert "://" not in lock.read_text(encoding="utf-8")
