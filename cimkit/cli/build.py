"""``cimkit build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cimkit.read.city import City


def build(
    out: Annotated[Path, typer.Argument(help="City folder to make.")],
    footprints: Annotated[
        str | None, typer.Option(help="Building outlines: GeoPackage, Shapefile or GeoJSON.")
    ] = None,
    footprint_layer: Annotated[str | None, typer.Option(help="Layer of that file.")] = None,
    footprint_id: Annotated[str | None, typer.Option(help="Column of the building id.")] = None,
    points: Annotated[
        list[str] | None,
        typer.Option(
            help="LAS/LAZ file, folder or quoted pattern; may be given several times."
        ),
    ] = None,
    addresses: Annotated[str | None, typer.Option(help="Address table: CSV or vector.")] = None,
    address_id: Annotated[str | None, typer.Option(help="Column of the address id.")] = None,
    addresses_crs: Annotated[
        str | None, typer.Option(help="CRS of the address coordinates, if not --crs.")
    ] = None,
    crs: Annotated[
        str | None, typer.Option(help="Working CRS, such as EPSG:7415 or EPSG:4546+5737.")
    ] = None,
    undulation: Annotated[
        float | None, typer.Option(help="Geoid height above the ellipsoid, metres.")
    ] = None,
    ellipsoidal: Annotated[
        bool, typer.Option("--ellipsoidal", help="Heights are ellipsoidal already.")
    ] = False,
    storey_height: Annotated[float | None, typer.Option(help="Metres; default 3.0.")] = None,
    lod: Annotated[str | None, typer.Option(help="Levels of detail; default 1.2.")] = None,
    division: Annotated[
        str | None, typer.Option(help="County (6 digits) or township (9) for the codes.")
    ] = None,
    register: Annotated[
        str | None, typer.Option(help="Code register; default OUT.register.gpkg.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default all cores.")] = None,
    block_size: Annotated[float | None, typer.Option(help="Metres; default 500.")] = None,
    job: Annotated[
        Path | None, typer.Option(help="city.toml with any of these and all other keys.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="Date to put into the products.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a city that stands at OUT.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the inputs, print the plan, write nothing.")
    ] = False,
) -> None:
    """Build a city from footprints, and points and addresses where there are any.

    Example: cimkit build city --footprints buildings.shp --points tiles/ --addresses
    addresses.csv --crs EPSG:4546+5737 --undulation -15.2
    """
    keys: dict[str, Any] = {
        "footprints": footprints,
        "footprint_layer": footprint_layer,
        "footprint_id": footprint_id,
        "points": tuple(points) if points else None,
        "addresses": addresses,
        "address_id": address_id,
        "addresses_crs": addresses_crs,
        "crs": crs,
        "undulation": undulation,
        "ellipsoidal": ellipsoidal or None,
        "storey_height": storey_height,
        "lod": tuple(lod.split(",")) if lod else None,
        "division": division,
        "register": register,
        "workers": workers,
        "block_size": block_size,
        "as_of": as_of,
    }
    run(
        out,
        {key: value for key, value in keys.items() if value is not None},
        job,
        overwrite,
        dry_run,
    )


def run(
    out: Path, keys: dict[str, Any], job_file: Path | None, overwrite: bool, dry_run: bool
) -> None:
    """Build, print what came out, and leave with 1 where an ERROR was found."""
    import json

    from cimkit import pipeline
    from cimkit.cli.progress import Lines
    from cimkit.job import Job
    from cimkit.read.job import read_job

    values = {**(read_job(job_file) if job_file else {}), **keys}
    job = Job.from_mapping(values)
    if dry_run:
        print(json.dumps(pipeline.plan(job), indent=1))
        return
    city = pipeline.build(out, job, overwrite=overwrite, progress=Lines())
    show(city)
    if any(issue.severity == "ERROR" for issue in city.issues):
        raise typer.Exit(1)


def show(city: City) -> None:
    """Print where the city is, its counts, its issues by code, and what to open."""
    print(f"{city.path}: " + ", ".join(f"{n:,} {name}" for name, n in city.counts.items()))
    severity = {issue.code: issue.severity for issue in reversed(city.issues)}
    for code, count in city.manifest["issues"].items():
        print(f"  {severity[code]:8}{code:28}{count:>8,}")
    for issue in city.issues:
        if issue.severity == "ERROR" and not issue.id:
            print(f"  {issue.code}: {issue.message}")
    print(f"open {city.path / 'report.html'} in a browser, {city.path / 'city.gpkg'} in QGIS,")
    print(f"{city.path / 'tiles' / 'tileset.json'} in a 3D Tiles viewer")
