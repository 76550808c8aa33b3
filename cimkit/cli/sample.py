"""``cimkit sample``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cimkit.cli.terminal import plain


class Cloud(StrEnum):
    """Kinds of point clouds."""

    CLASSIFIED = "classified"
    UNCLASSIFIED = "unclassified"
    PHOTOGRAMMETRIC = "photogrammetric"
    NONE = "none"


def _share(text: str) -> typer.models.OptionInfo:
    """Build an option that is a share."""
    info: typer.models.OptionInfo = typer.Option(metavar="SHARE", help=text, min=0.0, max=1.0)
    return info


def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    buildings: Annotated[
        int, typer.Option(metavar="N", help="How many buildings.", min=1)
    ] = 120,
    seed: Annotated[
        int,
        typer.Option(metavar="S", help="Another seed, another city.", min=0),
    ] = 7,
    cloud: Annotated[
        Cloud, typer.Option(help="Kind of point cloud, or none.")
    ] = Cloud.CLASSIFIED,
    rooms: Annotated[
        bool, typer.Option("--rooms", help="All addresses too, down to floors and rooms.")
    ] = False,
    second_epoch: Annotated[
        bool,
        typer.Option("--second-epoch", help="The city five years later too, in OUT/epoch2."),
    ] = False,
    jitter: Annotated[
        float,
        typer.Option(metavar="M", help="Error of address coordinates, metres.", min=0.0),
    ] = 0.0,
    wrong_township: Annotated[float, _share("Addresses that name another township.")] = 0.0,
    without_coordinates: Annotated[float, _share("Addresses without coordinates.")] = 0.04,
    typing_variants: Annotated[float, _share("Addresses typed in another way.")] = 0.0,
) -> None:
    """Invent a Chinese city to build: footprints, LAZ, addresses, divisions, truth.

    The same arguments give the same files.

    Example: cimkit sample sample --buildings 30 --seed 1
    """
    from cimkit.sample import make_sample

    paths = make_sample(
        out,
        buildings=buildings,
        seed=seed,
        cloud=cloud.value,
        rooms=rooms,
        second_epoch=second_epoch,
        jitter=jitter,
        wrong_township=wrong_township,
        without_coordinates=without_coordinates,
        typing_variants=typing_variants,
    )
    print(plain(f"{out}: {buildings:,} buildings; cimkit build city --job {paths.job}"))
