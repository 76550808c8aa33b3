"""Measure and print one table.

    python -m benchmarks [--full] [--workers N] [--json FILE]

Some five minutes on two cores; with ``--full``, cities of 5 x 5 and 10 x 10 blocks (16,000
buildings, 85 M points), half an hour and 2 GB of disk.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
from pathlib import Path

from benchmarks.build_beside_decoding import build_beside_decoding
from benchmarks.cities import has_real_block
from benchmarks.kernels_beside_oracles import kernels_beside_oracles
from benchmarks.measuring import Row, print_table
from benchmarks.points_in_footprints import addresses_beside_footprints, points_in_footprints
from benchmarks.steps_beside_decoding import steps_beside_decoding
from benchmarks.tile_cost import tile_cost


def code_rows() -> list[Row]:
    """Codes a CPU second, where that benchmark is there."""
    if importlib.util.find_spec("benchmarks.code_speed") is None:
        return []
    code_speed = importlib.import_module("benchmarks.code_speed").code_speed
    return [Row("Codes", name, speed, "M/CPU s") for name, speed in code_speed().items()]


def main() -> None:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="5 x 5 and 10 x 10 blocks")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = points_in_footprints(folder / "points")
        rows += addresses_beside_footprints(folder / "addresses")
        rows += kernels_beside_oracles()
        rows += code_rows()
        rows += tile_cost()
        rows += steps_beside_decoding(folder / "steps")
        sides = (5, 10) if arguments.full else (2, 3)
        rows += build_beside_decoding(folder, sides, workers=arguments.workers)
    print("Real blocks of Delft" if has_real_block() else "Invented blocks: no real data found")
    print_table(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps([row._asdict() for row in rows], indent=1))


if __name__ == "__main__":
    main()
