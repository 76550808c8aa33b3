"""``cimkit demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the sample and its city.")
    ] = Path("cimkit-demo"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Build again over an earlier demo.")
    ] = False,
) -> None:
    """Make the sample city from its seed and build it.

    OUT/sample holds the files to begin with, OUT/city the city made of them.

    Example: cimkit demo
    """
    from cimkit.cli.build import run
    from cimkit.errors import StoreError
    from cimkit.sample import make_sample

    if (out / "city").exists() and not overwrite:
        raise StoreError(
            f"{out / 'city'}: exists already. Name another folder, or --overwrite."
        )
    sample = make_sample(out / "sample")
    run(out / "city", {}, sample.job, overwrite, dry_run=False)
