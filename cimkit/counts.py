"""Housing, units and population of a whole city (一标三实), where the job asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import shapely

from cimkit.steps.occupancy import CELL, Occupied, occupy
from cimkit.tables.occupancy import MEASURES, Counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cimkit.inputs import Inputs
    from cimkit.job import Job
    from cimkit.tables import Links
    from cimkit.tables._columns import IntArray

GRID = "occupancy_grid"
"""Layer of ``city.gpkg``."""


def count_occupancy(job: Job, inputs: Inputs, links: Links) -> Occupied | None:
    """Counts by address, building and cell; None where the job names no tables of them."""
    if inputs.occupancy is None or inputs.addresses is None:
        return None
    return occupy(
        inputs.occupancy, inputs.addresses, inputs.footprints, links, k=job.suppress_below
    )


def tile_columns(job: Job, found: Occupied | None) -> Mapping[str, IntArray]:
    """Counts of buildings for the property table of tiles, where the job asks for them."""
    if found is None or not job.occupancy_in_tiles:
        return {}
    return found.buildings.value


def with_counts(layers: Mapping[str, Any], found: Occupied | None, crs: str) -> dict[str, Any]:
    """Layers with the counts in their columns, and the grid as a layer of its own.

    A count that is not stated, or hidden, is empty; ``suppressed`` names those that are hidden.
    """
    if found is None:
        return dict(layers)
    grid = found.cell_xy
    squares = shapely.box(grid[:, 0], grid[:, 1], grid[:, 0] + CELL, grid[:, 1] + CELL)
    names = [f"E{x:.0f}N{y:.0f}" for x, y in grid.tolist()]
    frame = gpd.GeoDataFrame({"cell_id": names}, geometry=list(squares), crs=crs or None)
    whole = {
        "buildings": _assign(layers["buildings"], found.buildings),
        "addresses": _assign(layers["addresses"], found.addresses),
        GRID: _assign(frame, found.cells),
    }
    return {**layers, **whole}


def _assign(frame: pd.DataFrame, counts: Counts) -> pd.DataFrame:
    """A frame with its counts before the geometry."""
    columns = {
        name: pd.array(
            [None if n < 0 else n for n in counts.value[name].tolist()], dtype="Int64"
        )
        for name in MEASURES
    }
    told = [""] * len(frame)
    for name in MEASURES:
        for row in counts.hidden[name].nonzero()[0].tolist():
            told[row] += f";{name}" if told[row] else name
    return frame.assign(**columns, suppressed=told)


def totals(found: Occupied | None) -> dict[str, dict[str, int]]:
    """Sum of each count that was placed, for report and manifest."""
    if found is None:
        return {}
    return {"Counts 一标三实": {b.name: b.parts["in buildings"] for b in found.balances}}
