"""``cimkit build``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cimkit.cli.terminal import plain, print_json
from cimkit.registerurl import shown

if TYPE_CHECKING:
    from cimkit.read.city import City
    from cimkit.tables import Issue

PRODUCTS = {
    "report.html": "in a browser",
    "city.gpkg": "in QGIS",
    "tiles/tileset.json": "in a 3D Tiles viewer, or by cimkit view",
}
"""What a person opens first, and with what."""


def build(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="City folder to make.")],
    footprints: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Outlines: a vector file or .gdb folder."),
    ] = None,
    footprint_layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Layer of the outlines.")
    ] = None,
    footprint_id: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Identifier of the buildings.")
    ] = None,
    points: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH", help="LAS/LAZ file, folder or quoted pattern; repeatable."
        ),
    ] = None,
    addresses: Annotated[
        str | None, typer.Option(metavar="FILE", help="Addresses: CSV, .xlsx or vector file.")
    ] = None,
    address_id: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Identifier of the addresses.")
    ] = None,
    addresses_crs: Annotated[
        str | None,
        typer.Option(
            metavar="CRS", help="Of the addresses; default that of the file or --crs."
        ),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(metavar="CRS", help="To work in: EPSG:7415, EPSG:4546+5737."),
    ] = None,
    dem: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="GeoTIFF of ground heights, where points lack."),
    ] = None,
    undulation: Annotated[
        float | None,
        typer.Option(metavar="METRES", help="Height of the geoid above the ellipsoid."),
    ] = None,
    ellipsoidal: Annotated[
        bool, typer.Option("--ellipsoidal", help="Heights are above the ellipsoid already.")
    ] = False,
    storey_height: Annotated[
        float | None, typer.Option(metavar="METRES", help="Of one floor; default 3.0.")
    ] = None,
    lod: Annotated[
        str | None,
        typer.Option(metavar="LOD,...", help="Levels of detail; default 1.2,1.3,2.2."),
    ] = None,
    division: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|CODE",
            help="Polygons of divisions for the codes, or one county (6 digits), township (9).",
        ),
    ] = None,
    register: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Code register: a file, or postgresql://...; default OUT.register.gpkg.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes; default all cores.")
    ] = None,
    block_size: Annotated[
        float | None, typer.Option(metavar="METRES", help="Of a unit of work; default 500.")
    ] = None,
    job: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="city.toml with these and all other keys."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Date to put into the products.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the city that stands at OUT.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the inputs, print a plan, write nothing.")
    ] = False,
) -> None:
    """Build a city from footprints, points and addresses.

    Points and addresses may be left out. An option wins over the same key of the job file.

    Example: cimkit build city --footprints buildings.shp --points tiles/
    --addresses addresses.csv --crs EPSG:4546+5737 --undulation -15.2
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
        "dem": dem,
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
    from cimkit import pipeline
    from cimkit.cli.progress import Lines
    from cimkit.job import Job
    from cimkit.read.job import read_job
    from cimkit.write.store import check_output

    values = {**(read_job(job_file) if job_file else {}), **keys}
    job = Job.from_mapping(values)
    if dry_run:
        check_output(out, overwrite=overwrite)
        print_json(pipeline.plan(job))
        return
    city = pipeline.build(out, job, overwrite=overwrite, progress=Lines())
    show(city, out, job.register or f"{out}.register.gpkg")
    if any(issue.severity == "ERROR" for issue in city.issues):
        raise typer.Exit(1)


def show(city: City, out: Path, register: str) -> None:
    """Print the counts of a city, an example of each issue code, what to open and keep."""
    print(plain(f"{out}: {_counts(city.counts)}"))
    if note := _resumed(city.run):
        print(plain(note))
    print(f"codes: {_counts(city.run['codes'])}")
    of_code: dict[str, list[Issue]] = {}
    for issue in city.issues:
        of_code.setdefault(issue.code, []).append(issue)
    for code, (first, *more) in of_code.items():
        example = f"{first.id}: {first.message}" if first.id else first.message
        print(plain(f"{first.severity:9}{code:28}{len(more) + 1:>8,}  {example}"))
    for name, program in PRODUCTS.items():
        print(plain(f"open {out / name} {program}"))
    print(plain(f"keep {shown(register)}: the codes live there"))


def _resumed(run: Mapping[str, Any]) -> str:
    """What was taken over from a build that had not ended; "" if nothing was."""
    parts = run.get("parts", {}).values()
    reused, made = sum(p["reused"] for p in parts), sum(p["made"] for p in parts)
    whose = f" by {run['abandoned_by']}" if run.get("abandoned_by") else ""
    taken = f"went on from a build left unfinished{whose}: {reused:,} of {made:,} parts stood"
    return taken if reused or whose else ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
