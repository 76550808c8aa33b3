"""Each step of a build on one block in memory, in CPU seconds beside decoding its points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import cimkit
from benchmarks.cities import load_block
from benchmarks.measuring import Row, best_cpu_s
from cimkit.read.las_header import probe_las
from cimkit.read.points import find_clouds, iterate_points
from cimkit.tables.coderecords import CodeRecords
from cimkit.write.cityjson import cityjson_features, cityjson_header
from cimkit.write.glb import encode_glb
from cimkit.write.placement import Placement
from cimkit.write.property_table import building_table


def steps_beside_decoding(folder: Path, *, repeats: int = 3) -> list[Row]:
    """Warm: the kernels are compiled before. Reading is measured without spooling."""
    block = load_block(folder)
    footprints, cloud, crs = block.footprints, block.cloud, block.cloud.crs
    owner, (terrain, _) = cimkit.singulate(cloud, footprints), cimkit.ground(cloud)
    buildings, models, _ = cimkit.reconstruct(
        footprints, cloud, building_of_point=owner, terrain=terrain
    )
    box = footprints.total_bounds or (0.0, 0.0, 0.0, 0.0)
    placement = Placement(crs, 0.0, (round(box[0], -3), round(box[1], -3), 0.0))
    text = np.full(len(footprints), "", np.dtypes.StringDType())
    _, base = cityjson_header(crs, box)
    nothing = CodeRecords.empty(crs)

    def decode() -> int:
        headers = [probe_las(path) for path in find_clouds(block.paths)]
        return sum(len(part) for header in headers for part in iterate_points(header))

    steps: dict[str, Callable[[], Any]] = {
        "clean": lambda: cimkit.clean(block.raw),
        "ground": lambda: cimkit.ground(cloud),
        "singulate": lambda: cimkit.singulate(cloud, footprints),
        "reconstruct LoD1.2": lambda: cimkit.reconstruct(
            footprints, cloud, building_of_point=owner, terrain=terrain, lod=("1.2",)
        ),
        "reconstruct LoD1.2, 1.3, 2.2": lambda: cimkit.reconstruct(
            footprints, cloud, building_of_point=owner, terrain=terrain
        ),
        "encode (codes)": lambda: cimkit.encode(footprints, nothing),
        "link": lambda: cimkit.link(block.addresses, footprints),
        "tile (tree)": lambda: cimkit.tile(footprints, buildings, models),
        "write glb": lambda: encode_glb(
            models.best(), building_table(buildings, text), placement
        ),
        "write CityJSON": lambda: list(cityjson_features(buildings, models, base)),
    }
    floor = best_cpu_s(decode, repeats)
    points = f"{len(cloud) / 1e6:.2f} M points"
    group = f"Steps on one block, warm: {len(footprints)} buildings, {points}"
    rows = [Row(group, "decode", floor, "CPU s", 1.0, "decoding")]
    for name, step in steps.items():
        seconds = best_cpu_s(step, repeats)
        rows.append(Row(group, name, seconds, "CPU s", seconds / floor, "decoding"))
        if name.endswith("2.2"):
            speed = len(footprints) / seconds
            rows.append(Row(group, "buildings with three LoDs", speed, "1/CPU s"))
    return rows
