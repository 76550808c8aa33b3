"""``cimkit review``: the doubtful links of a city, for a person to decide on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def review(
    city: Annotated[Path, typer.Argument(metavar="CITY", help="City folder.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Sheet to write: .csv, .xlsx or .gpkg.")
    ],
    below: Annotated[
        float, typer.Option(metavar="SHARE", help="Links less sure than this.")
    ] = 0.9,
) -> None:
    """Write doubtful links and addresses without a building to a sheet.

    Fill in decision (accept, reject, edit), for edit also new_building (its code or
    identifier), and your name as reviewer. Then build again with the sheet as job key
    reviews: no rule overrules what it says, now or in a later build.

    Example: cimkit review city doubtful.xlsx --below 0.85
    """
    from cimkit.read.city import open_city
    from cimkit.write.review import review_sheet, write_review

    found = open_city(city)
    sheet = review_sheet(
        found.links, found.addresses, found.buildings, found.footprints, below=below
    )
    write_review(out, sheet)
    n_open = int((sheet["building_id"] == "").sum())
    print(f"{out}: {len(sheet) - n_open:,} doubtful links, {n_open:,} addresses without one")
