"""``cimkit sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    buildings: Annotated[int, typer.Option(help="How many buildings.", min=1)] = 120,
    seed: Annotated[int, typer.Option(help="Another seed, another neighbourhood.")] = 7,
) -> None:
    """Make an invented Chinese neighbourhood: footprints, LAZ, addresses, job file, truth."""
    from cimkit.sample import make_sample

    paths = make_sample(out, buildings=buildings, seed=seed)
    print(f"{out}: build it with  cimkit build city --job {paths.job}")
