"""Whether a city folder is what its manifest says, and its parts agree with each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cimkit.tables import Buildings, Issue, Models
from cimkit.tables.reportfacts import Balance
from cimkit.tables.tilesetcontent import TilesetContents


def check_city(
    buildings: Buildings,
    models: Models,
    tiles: TilesetContents,
    manifest: Mapping[str, Any],
    sums: Mapping[str, Mapping[str, int | str]],
) -> list[Issue]:
    """Hold the parts of a city against each other.

    Parameters
    ----------
    buildings : Buildings
    models : Models
    tiles : TilesetContents
    manifest : mapping
        Of the city folder.
    sums : mapping of str to mapping
        Size and SHA-256 of each file that is there now, by its name in the folder.

    Returns
    -------
    list of Issue
        ``FILE_MISSING``, ``FILE_CHANGED``, ``FILE_UNKNOWN``, ``BALANCE_BROKEN``,
        ``MODEL_MISSING``, ``TILE_MISSING``, ``CODE_REPEATED``.
    """
    return [
        *check_files(manifest["files"], sums),
        *_check_balances(manifest["balances"]),
        *_check_buildings(buildings, models, tiles),
    ]


def check_files(
    promised: Mapping[str, Any], sums: Mapping[str, Mapping[str, int | str]]
) -> list[Issue]:
    """Every promised file with its promised bytes, and no other."""
    issues = []
    for name in sorted({*promised, *sums}):
        if name not in sums:
            issues.append(
                Issue("ERROR", "FILE_MISSING", "city", name, "is in the manifest only")
            )
        elif name not in promised:
            message = "lies in the folder, but not in the manifest"
            issues.append(Issue("WARNING", "FILE_UNKNOWN", "city", name, message))
        elif dict(promised[name]) != dict(sums[name]):
            message = "its bytes are not those of the manifest"
            issues.append(Issue("ERROR", "FILE_CHANGED", "city", name, message))
    return issues


def _check_balances(balances: list[Mapping[str, Any]]) -> list[Issue]:
    """What went in must have come out."""
    return [
        Issue(
            "ERROR",
            "BALANCE_BROKEN",
            "city",
            balance["name"],
            f"{balance['in_count']:,} went in; the parts do not add up: {balance['parts']}",
        )
        for balance in balances
        if not Balance(balance["name"], balance["in_count"], balance["parts"]).adds_up
    ]


def _check_buildings(
    buildings: Buildings, models: Models, tiles: TilesetContents
) -> list[Issue]:
    """Each building with one code, one solid, and a place in the tiles."""
    ids = buildings.building_id.tolist()
    known = set(ids)
    issues = []
    for code, there, table in (
        ("MODEL_MISSING", set(models.building_id.tolist()), "models"),
        ("TILE_MISSING", set(tiles.shown_ids()), "tiles"),
    ):
        for name in sorted(known ^ there):
            where = f"not in the {table}" if name in known else f"in the {table} only"
            issues.append(Issue("ERROR", code, "buildings", name, f"is {where}"))
    seen: dict[str, str] = {}
    for name, code in zip(ids, buildings.code.tolist(), strict=True):
        if code in seen:
            message = f"has the code {code} of {seen[code]!r}"
            issues.append(Issue("ERROR", "CODE_REPEATED", "buildings", name, message))
        seen[code] = name
    return issues
