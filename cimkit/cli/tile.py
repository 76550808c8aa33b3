"""``cimkit tile``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cimkit.cli.terminal import plain, print_json

if TYPE_CHECKING:
    from cimkit.tables import Issue
    from cimkit.tile_files import Tiled


def tile(
    source: Annotated[
        Path,
        typer.Argument(metavar="MODELS|FOOTPRINTS", help="CityJSON(Seq), or a vector file."),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the tileset.")],
    crs: Annotated[
        str, typer.Option(metavar="CRS", help="EPSG:4546+5737; default that of the models.")
    ] = "",
    undulation: Annotated[
        float | None,
        typer.Option(metavar="METRES", help="Height of the geoid above the ellipsoid."),
    ] = None,
    ellipsoidal: Annotated[
        bool, typer.Option("--ellipsoidal", help="Heights are above the ellipsoid already.")
    ] = False,
    layer: Annotated[str, typer.Option(metavar="NAME", help="Layer of the outlines.")] = "",
    id_field: Annotated[
        str, typer.Option(metavar="COLUMN", help="Identifier of the outlines.")
    ] = "auto",
    height_field: Annotated[
        str, typer.Option(metavar="COLUMN", help="Height above ground, metres.")
    ] = "auto",
    floors_field: Annotated[str, typer.Option(metavar="COLUMN", help="Storeys.")] = "auto",
    ground_field: Annotated[
        str, typer.Option(metavar="COLUMN", help="Height of the ground, metres.")
    ] = "",
    storey_height: Annotated[float, typer.Option(metavar="METRES", help="Of one floor.")] = 3.0,
    tile_properties: Annotated[
        str, typer.Option(metavar="COLUMN,...", help="Further columns that tiles tell.")
    ] = "",
    tile_color: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column that colours the buildings.")
    ] = "",
    tile_buildings: Annotated[
        int, typer.Option(metavar="N", help="Most buildings of a tile at full detail.")
    ] = 256,
    tiles_version: Annotated[
        str, typer.Option(metavar="1.1|1.0", help="Of 3D Tiles: glb, or b3dm.")
    ] = "1.1",
    compression: Annotated[
        str, typer.Option(metavar="auto|meshopt|none", help="Of vertices and indices.")
    ] = "auto",
    implicit: Annotated[
        bool, typer.Option("--implicit", help="Implicit tiling with subtrees.")
    ] = False,
    outline: Annotated[bool, typer.Option("--outline", help="Edges, for CesiumJS.")] = False,
    gzip: Annotated[bool, typer.Option("--gzip", help="A .gz beside each file.")] = False,
    package: Annotated[bool, typer.Option("--package", help="A .3tz of all, too.")] = False,
    keep_open: Annotated[
        bool, typer.Option("--keep-open", help="Show surfaces that close to no solid as such.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the tiles that stand at OUT.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make 3D Tiles of models or of outlines, without a build.

    The exit code is 1 where an ERROR is found.

    Example: cimkit tile models.city.jsonl tiles --undulation -15.2
    """
    from cimkit.cli.progress import Lines
    from cimkit.errors import ParameterError
    from cimkit.tile_files import Columns, Heights, tile_file
    from cimkit.tiling import TileOptions

    if undulation is not None and ellipsoidal:
        raise ParameterError("--undulation and --ellipsoidal exclude each other: give one")
    if compression not in ("auto", "meshopt", "none"):
        raise ParameterError(f"--compression: auto, meshopt or none, not {compression}")
    properties = tuple(name for name in tile_properties.split(",") if name)
    done = tile_file(
        str(source),
        str(out),
        crs=crs,
        heights=Heights(undulation, ellipsoidal),
        options=TileOptions(
            *(tile_buildings, properties, tile_color, tiles_version, compression),
            *(implicit, outline, gzip, package),
        ),
        columns=Columns(layer, id_field, height_field, floors_field, ground_field),
        storey_height=storey_height,
        keep_open=keep_open,
        overwrite=overwrite,
        progress=Lines(),
    )
    if as_json:
        print_json(done._asdict() | {"issues": [issue._asdict() for issue in done.issues]})
    else:
        _show(out, done)
    if any(issue.severity == "ERROR" for issue in done.issues):
        raise typer.Exit(1)


def _show(out: Path, done: Tiled) -> None:
    """Print counts, and an example of each issue code."""
    print(plain(f"{out}: buildings {done.buildings:,}, tiles {done.tiles:,}"))
    print(f"{done.size_bytes:,} bytes; files new {done.new:,}, kept {done.kept:,}")
    of_code: dict[str, list[Issue]] = {}
    for issue in done.issues:
        of_code.setdefault(issue.code, []).append(issue)
    for code, (first, *more) in of_code.items():
        example = f"{first.id}: {first.message}" if first.id else first.message
        print(plain(f"{first.severity:9}{code:28}{len(more) + 1:>8,}  {example}"))
    print(plain(f"open {out / 'tileset.json'} in a 3D Tiles viewer"))
