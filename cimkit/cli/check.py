"""``cimkit check``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cimkit.cli.terminal import plain, print_json

if TYPE_CHECKING:
    from cimkit.tables import Issue

SHOWN = 10
"""Lines for one code: a missing tile is followed by each of its buildings."""


def check(
    what: Annotated[
        Path,
        typer.Argument(
            metavar="CITY|TILESET|MODELS",
            help="City folder; tileset.json or its folder; .city.jsonl file.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a city, a tileset or models.

    The exit code is 1 where an ERROR is found.

    Example: cimkit check city
    """
    from cimkit.tables import sort_issues

    issues = sort_issues(_findings(what))
    errors = sum(issue.severity == "ERROR" for issue in issues)
    if as_json:
        print_json([issue._asdict() for issue in issues])
    else:
        _print_issues(issues)
        print(plain(f"{what}: {errors:,} errors, {len(issues) - errors:,} other findings"))
    if errors:
        raise typer.Exit(1)


def _print_issues(issues: list[Issue]) -> None:
    """Print the first of each code, a line each."""
    for code, group in groupby(issues, key=lambda issue: issue.code):
        found = list(group)
        for issue in found[:SHOWN]:
            place = f"{issue.table} {issue.id}".rstrip()
            print(plain(f"{issue.severity:9}{code:28}{place}: {issue.message}"))
        if len(found) > SHOWN:
            print(f"{found[0].severity:9}{code:28}{len(found) - SHOWN:,} more: see --json")


def _findings(what: Path) -> list[Issue]:
    """Findings of the check that fits what was named."""
    from cimkit.check.solids import check_solids
    from cimkit.check.tileset import check_tileset
    from cimkit.errors import InputError
    from cimkit.read.cityjson import lods_of, read_models
    from cimkit.read.tileset import read_tileset

    if (what / "manifest.json").is_file():
        return _city_findings(what)
    if what.name == "tileset.json" or (what / "tileset.json").is_file():
        return check_tileset(read_tileset(what))
    if what.suffix == ".jsonl":
        lods = lods_of(what)
        if not lods:
            raise InputError("holds no solids", path=str(what))
        return [issue for lod in lods for issue in check_solids(read_models(what, lod=lod))]
    raise InputError(
        "is neither a city folder, a tileset nor CityJSONSeq models"
        if what.exists()
        else "does not exist",
        path=str(what),
        hint="Name a folder with manifest.json, a tileset.json, or a .city.jsonl file.",
    )


def _city_findings(folder: Path) -> list[Issue]:
    """Findings of all checks; where damage keeps one from reading, those of the sums."""
    from cimkit.check.city import check_city, check_files
    from cimkit.check.solids import check_solids
    from cimkit.check.tileset import check_tileset
    from cimkit.read.city import open_city
    from cimkit.read.tileset import read_tileset
    from cimkit.tables import Issue

    city = open_city(folder)
    sums = city.file_sums()
    try:
        models = city.models()
        contents = read_tileset(folder / "tiles")
        return [
            *check_city(city.buildings, models, contents, city.manifest, sums),
            *check_solids(models),
            *check_tileset(contents),
        ]
    except Exception as error:
        damage = check_files(city.manifest["files"], sums)
        if not damage:
            raise
        message = f"{type(error).__name__}: {error}"
        return [*damage, Issue("ERROR", "FILE_UNREADABLE", "city", "", message)]
