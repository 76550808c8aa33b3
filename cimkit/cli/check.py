"""``cimkit check``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cimkit.cli.terminal import plain, print_json

if TYPE_CHECKING:
    from cimkit.check.report import ModelReport
    from cimkit.tables import Issue

WIDTH = 48
"""Characters of the longest code, and a space."""

SHOWN = 10
"""Lines for one code: a missing tile is followed by each of its buildings."""


Snap = Annotated[float, typer.Option(help="Metres within which points of a shell are one.")]
Planarity = Annotated[float, typer.Option(help="Metres that a point may lie off its face.")]
Normals = Annotated[float, typer.Option(help="Degrees that a face may be folded.")]


def check(
    what: Annotated[
        Path,
        typer.Argument(
            metavar="CITY|TILESET|MODELS",
            help="City folder; tileset.json or its folder; CityJSON or CityJSONSeq file.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    snap: Snap = 0.001,
    planarity: Planarity = 0.01,
    normals: Normals = 20.0,
) -> None:
    """Check a city, a tileset or models.

    Solids are judged by ISO 19107 under the numbers of val3dity. The exit code is 1 where an
    ERROR is found.

    Example: cimkit check city
    """
    from cimkit.errors import ParameterError
    from cimkit.tables import sort_issues

    if not (snap > 0 and planarity > 0 and 0 < normals < 180):
        raise ParameterError(
            "--snap and --planarity must be above 0, --normals within 0 to 180"
        )
    tolerances = {"snap": snap, "planarity": planarity, "normals": normals}
    found: list[Issue]
    if _is_model_file(what):
        report = _model_report(what, tolerances)
        found, document = report.issues, report.as_dict()
        summary = _summary(document)
    elif _is_tileset(what):
        found, document = _tileset_report(what)
        summary = (
            "3D Tiles {version}: tiles {tiles:,}, levels {levels}, leaves {leaves:,}\n".format(
                **document
            )
        )
    else:
        found, document, summary = _city_findings(what, tolerances), None, ""
    issues = sort_issues(found)
    errors = sum(issue.severity == "ERROR" for issue in issues)
    if as_json:
        listed = [issue._asdict() for issue in issues]
        print_json(listed if document is None else document | {"issues": listed})
    else:
        _print_issues(issues)
        print(summary, end="")
        print(plain(f"{what}: {errors:,} errors, {len(issues) - errors:,} other findings"))
    if errors:
        raise typer.Exit(1)


def _summary(document: dict[str, Any]) -> str:
    """How many primitives of each kind are valid, a line each."""
    return "".join(
        f"{row['type']} LoD{plain(row['lod'])}: {row['valid']:,} of {row['total']:,} valid\n"
        for row in document["primitives_overview"]
    )


def _print_issues(issues: list[Issue]) -> None:
    """Print the first of each code, a line each."""
    for code, group in groupby(issues, key=lambda issue: issue.code):
        found = list(group)
        for issue in found[:SHOWN]:
            place = f"{issue.table} {issue.id}".rstrip()
            print(plain(f"{issue.severity:9}{code:{WIDTH}}{place}: {issue.message}"))
        if len(found) > SHOWN:
            print(f"{found[0].severity:9}{code:{WIDTH}}{len(found) - SHOWN:,} more: see --json")


def _is_model_file(what: Path) -> bool:
    """Whether a file of models was named."""
    return what.is_file() and what.name != "tileset.json" and what.suffix in (".json", ".jsonl")


def _model_report(what: Path, tolerances: dict[str, float]) -> ModelReport:
    """Findings of a file of models, read part by part."""
    from cimkit.check.report import ModelReport
    from cimkit.errors import InputError
    from cimkit.read.boundaries import read_boundaries

    report = ModelReport(**tolerances)
    for boundaries, unread in read_boundaries(what):
        report.add(boundaries, unread)
    if not report.n_primitives and not report.issues:
        raise InputError("holds no surfaces and no solids", path=str(what))
    return report


def _is_tileset(what: Path) -> bool:
    """Whether a tileset was named, or its folder."""
    return what.name == "tileset.json" or (what / "tileset.json").is_file()


def _tileset_report(what: Path) -> tuple[list[Issue], dict[str, Any]]:
    """Findings of a tileset, and the report of them."""
    from cimkit.check.tileset import check_tileset, tileset_report
    from cimkit.read.tileset import read_tileset
    from cimkit.tables import sort_issues

    contents = read_tileset(what)
    issues = sort_issues(check_tileset(contents))
    return issues, tileset_report(contents, issues)


def _city_findings(folder: Path, tolerances: dict[str, float]) -> list[Issue]:
    """Findings of all checks; where damage keeps one from reading, those of the sums."""
    from cimkit.check.city import check_city, check_files
    from cimkit.check.solids import check_solids
    from cimkit.check.tileset import check_tileset
    from cimkit.errors import InputError
    from cimkit.read.city import open_city
    from cimkit.read.tileset import read_tileset
    from cimkit.tables import Issue

    if not (folder / "manifest.json").is_file():
        raise InputError(
            "is neither a city folder, a tileset nor CityJSON"
            if folder.exists()
            else "does not exist",
            path=str(folder),
            hint="Name a folder with manifest.json, a tileset.json, or a CityJSON file.",
        )
    city = open_city(folder)
    sums = city.file_sums()
    try:
        models = city.models()
        solids = check_solids(city.models("all"), **tolerances)
        contents = read_tileset(folder / "tiles")
        ground = folder / "tiles" / "terrain"
        return [
            *check_city(city.buildings, models, contents, city.manifest, sums),
            *solids,
            *check_tileset(contents),
            *(check_tileset(read_tileset(ground)) if ground.is_dir() else ()),
            *_interior_findings(folder, tolerances),
        ]
    except Exception as error:
        damage = check_files(city.manifest["files"], sums)
        if not damage:
            raise
        message = f"{type(error).__name__}: {error}"
        return [*damage, Issue("ERROR", "FILE_UNREADABLE", "city", "", message)]


def _interior_findings(folder: Path, tolerances: dict[str, float]) -> list[Issue]:
    """Findings of the storeys of a city, where it has any."""
    from cimkit.check.tileset import check_tileset
    from cimkit.read.tileset import read_tileset

    slabs, tiles = folder / "storeys.city.jsonl", folder / "tiles_storeys"
    issues = _model_report(slabs, tolerances).issues if slabs.is_file() else []
    return [*issues, *(check_tileset(read_tileset(tiles)) if tiles.is_dir() else ())]
