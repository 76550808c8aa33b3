"""``cimkit check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cimkit.tables import Issue


def check(
    what: Annotated[
        Path,
        typer.Argument(help="City folder, tileset folder or tileset.json, or .city.jsonl."),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the findings as JSON.")
    ] = False,
) -> None:
    """Check a city, a tileset or models; exit code 1 where an ERROR is found."""
    from cimkit.tables import sort_issues

    issues = sort_issues(_findings(what))
    if as_json:
        print(json.dumps([issue._asdict() for issue in issues], ensure_ascii=False, indent=1))
    else:
        for issue in issues:
            print(
                f"{issue.severity:8}{issue.code:28}{issue.table}  {issue.id!r}  {issue.message}"
            )
        errors = sum(issue.severity == "ERROR" for issue in issues)
        print(f"{what}: {errors} errors, {len(issues) - errors} other findings")
    if any(issue.severity == "ERROR" for issue in issues):
        raise typer.Exit(1)


def _findings(what: Path) -> list[Issue]:
    """Findings of the check that fits what was named."""
    from cimkit.check.city import check_city
    from cimkit.check.solids import check_solids
    from cimkit.check.tileset import check_tileset
    from cimkit.errors import InputError
    from cimkit.read.city import open_city
    from cimkit.read.cityjson import lods_of, read_models
    from cimkit.read.tileset import read_tileset

    if what.is_dir() and (what / "manifest.json").exists():
        city = open_city(what)
        models = city.models()
        contents = read_tileset(what / "tiles" / "tileset.json")
        return [
            *check_city(city.buildings, models, contents, city.manifest, city.file_sums()),
            *check_solids(models),
            *check_tileset(contents),
        ]
    if what.is_dir() or what.name.endswith("tileset.json"):
        return check_tileset(read_tileset(what / "tileset.json" if what.is_dir() else what))
    if what.suffix == ".jsonl":
        return [
            issue for lod in lods_of(what) for issue in check_solids(read_models(what, lod=lod))
        ]
    raise InputError(
        "is neither a city folder, a tileset nor CityJSONSeq models",
        path=str(what),
        hint="Name a folder with manifest.json, a tileset.json, or a .city.jsonl file.",
    )
