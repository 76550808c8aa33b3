"""Codes a CPU second: BeiDou grid in two and three dimensions, building codes, check systems.

python benchmarks/code_speed.py [N]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cimkit.codes import layout as layouts
from cimkit.codes.beidou import beidou_code, beidou_corner
from cimkit.codes.beidou_3d import beidou_code_3d, beidou_corner_3d
from cimkit.codes.modulus import SYSTEMS, check_characters, is_valid
from cimkit.codes.schemes import layout
from cimkit.codes.uic21 import mint_all, valid_all

_SZ25 = ("province", "city", "district", "street", "community", "grid", "building")


def code_speed(n: int = 1_000_000, seed: int = 0) -> dict[str, float]:
    """Millions of codes a CPU second, by what is done; places of a city, heights to 300 m."""
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(112.0, 112.5, n), rng.uniform(30.1, 30.5, n)
    height, serial = rng.uniform(-30.0, 300.0, n), rng.integers(1, 1_000_000, n)
    figures: dict[str, float] = {}

    def measure(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        made = work()
        figures[name] = n / (time.process_time() - start) / 1e6
        return made

    plane = measure("BeiDou 2D L10, encode", lambda: beidou_code(lon, lat))
    measure("BeiDou 2D L10, decode", lambda: beidou_corner(plane))
    solid = measure("BeiDou 3D L10, encode", lambda: beidou_code_3d(lon, lat, height))
    measure("BeiDou 3D L10, decode", lambda: beidou_corner_3d(solid))
    codes = measure("uic21, mint", lambda: mint_all("421002", "990100", "001", serial))
    measure("uic21, validate", lambda: valid_all(codes))
    sz25 = layout("sz25")
    digits = rng.integers(0, 100, (3, n))
    made = measure(
        "sz25 (a layout), mint",
        lambda: layouts.mint(
            sz25, **dict(zip(_SZ25, (*digits, *digits, serial % 99_999), strict=True))
        ),
    )
    measure("sz25 (a layout), validate", lambda: layouts.valid_all(sz25, made))
    measure("sz25 (a layout), parse", lambda: layouts.parse(sz25, made))
    for system, rule in SYSTEMS.items():
        body = codes.astype(f"S{len(rule.weights) or 21}").astype(codes.dtype)
        checks = measure(f"{system}, check", lambda s=system, b=body: check_characters(s, b))
        full = np.strings.add(body, checks)
        measure(f"{system}, validate", lambda s=system, c=full: is_valid(s, c))
    return figures


def main() -> None:
    """Measure and print one table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{'million codes a CPU second':32}{n:>10,} codes")
    for name, speed in code_speed(n).items():
        print(f"{name:32}{speed:>10.2f}")


if __name__ == "__main__":
    main()
