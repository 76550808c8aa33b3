"""``cimkit info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def info(
    files: Annotated[list[Path], typer.Argument(help="Vector, CSV, LAS/LAZ files or cities.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what files hold: kind, count, CRS, extent, columns and how cimkit reads them."""
    facts = [_describe(path) for path in files]
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=1))
        return
    for fact in facts:
        print(fact.pop("path"))
        for name, value in fact.items():
            print(f"  {name:14}{value}")


def _describe(path: Path) -> dict[str, Any]:
    """Facts of one file."""
    if path.is_dir():
        from cimkit.read.city import open_city

        return {"path": str(path), "kind": "city", **open_city(path).counts}
    if path.suffix.lower() in (".las", ".laz"):
        return _describe_cloud(path)
    from cimkit.read.vector import describe_vector

    return {"path": str(path), **describe_vector(path)}


def _describe_cloud(path: Path) -> dict[str, Any]:
    """Header of a LAS or LAZ file, checked, without decoding a point."""
    from cimkit.read.las_header import probe_las
    from cimkit.read.points import cloud_crs

    header = probe_las(path)
    size = [high - low for low, high in zip(header.low, header.high, strict=True)]
    area = size[0] * size[1]
    return {
        "path": str(path),
        "kind": "point cloud",
        "version": f"LAS {header.version}, point format {header.point_format}",
        "compressed": header.compressed,
        "points": header.n_points,
        "bounds": [round(value, 3) for value in header.bounds],
        "heights": [round(header.low[2], 3), round(header.high[2], 3)],
        "per_m2_of_box": round(header.n_points / area, 2) if area else None,
        "crs": cloud_crs(header) or "none stated: give it as --crs",
    }
