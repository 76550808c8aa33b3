"""``cimkit sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cimkit.cli.terminal import plain


def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    buildings: Annotated[
        int, typer.Option(metavar="N", help="How many buildings.", min=1)
    ] = 120,
    seed: Annotated[
        int,
        typer.Option(metavar="S", help="Another seed, another neighbourhood.", min=0),
    ] = 7,
) -> None:
    """Invent a Chinese neighbourhood to build: footprints, LAZ, addresses, truth.

    The same arguments give the same files.

    Example: cimkit sample sample --buildings 30 --seed 1
    """
    from cimkit.sample import make_sample

    paths = make_sample(out, buildings=buildings, seed=seed)
    print(plain(f"{out}: {buildings:,} buildings; cimkit build city --job {paths.job}"))
