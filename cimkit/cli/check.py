"""``cimkit check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cimkit.cli.terminal import plain, print_json

if TYPE_CHECKING:
    from cimkit.tables import Issue


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
    if as_json:
        print_json([issue._asdict() for issue in issues])
    else:
        for issue in issues:
            place = f"{issue.table} {issue.id}".rstrip()
            print(plain(f"{issue.severity:9}{issue.code:28}{place}: {issue.message}"))
        errors = sum(issue.severity == "ERROR" for issue in issues)
        print(plain(f"{what}: {errors:,} errors, {len(issues) - errors:,} other findings"))
    if any(issue.severity == "ERROR" for issue in issues):
        raise typer.Exit(1)


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
        return [issue for lod in lods for issue in check_solids(read_models(what, lod=lod))]
    raise InputError(
        "is neither a city folder, a tileset nor CityJSONSeq models"
        if what.exists()
        else "does not exist",
        path=str(what),
        hint="Name a folder with manifest.json, a tileset.json, or a .city.jsonl file.",
    )


def _city_findings(folder: Path) -> list[Issue]:
    """Findings of all checks; where a part cannot be read, at least those of the sums."""
    from cimkit.check.city import _check_files, check_city
    from cimkit.check.solids import check_solids
    from cimkit.check.tileset import check_tileset
    from cimkit.errors import InputError
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
    except InputError as error:
        unreadable = Issue("ERROR", "FILE_UNREADABLE", "city", "", str(error))
        return [unreadable, *_check_files(city.manifest["files"], sums)]
