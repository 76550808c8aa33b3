"""Whole builds in processes of their own, beside only decoding the same LAZ files.

Decoding is the floor: no program can use points that it has not decoded. Start-up (imports,
spawned workers) and compilation are apart, because they do not grow with the city; the slope
between two sizes holds neither, nor what is capped, like the picture in the report.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import cimkit
from benchmarks.cities import make_city, make_tiny_city
from benchmarks.measuring import Row, program_cpu_s

DECODE = """
import resource, sys
from cimkit.read.job import read_job
from cimkit.read.las_header import probe_las
from cimkit.read.points import find_clouds, iterate_points
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
start, n = cpu(), 0
for path in find_clouds(read_job(sys.argv[1])["points"]):
    n += sum(len(chunk) for chunk in iterate_points(probe_las(path)))
print(n, cpu() - start)
"""

BUILD = """
import sys
import cimkit
from cimkit.read.job import read_job
if __name__ == "__main__":
    values = {**read_job(sys.argv[1]), "workers": int(sys.argv[3])}
    cimkit.build(sys.argv[2], cimkit.Job.from_mapping(values))
"""

PHASES = {
    "read, clean, encode": "read",
    "decode, spool, ground": "decode",
    "singulate, reconstruct": "blocks",
    "link": "link",
    "tile, write glb": "tile",
    "write the products": "write",
}
"""What the phases of run.json hold."""

_PHASE_OF_WORKERS = {"build": "blocks"}


class Size(NamedTuple):
    """Figures of one city."""

    points: int
    buildings: int
    decoding: float
    build: float
    phases: dict[str, float]
    run: dict[str, Any]


def measure(job: Path, out: Path, *, workers: int, cache: str, repeats: int) -> Size:
    """Decode and build one city, in turn; the least CPU seconds of each."""
    decoding, built = [], []
    points = buildings = 0
    for k in range(repeats):
        _, printed = program_cpu_s(DECODE, str(job))
        points, seconds = int(printed.split()[0]), float(printed.split()[1])
        decoding.append(seconds)
        city = out / f"city-{k}"
        used, _ = program_cpu_s(BUILD, str(job), str(city), str(workers), cache=cache)
        run = json.loads((city / "run.json").read_text())
        built.append((used, run))
        buildings = len(cimkit.open_city(city).buildings)
    used, run = min(built, key=lambda pair: pair[0])
    phases = {name: phase["own_cpu_s"] for name, phase in run["phases"].items()}
    for name, seconds in run["workers_cpu_s"].items():
        phase = _PHASE_OF_WORKERS.get(name, name)
        phases[phase] = phases.get(phase, 0.0) + seconds
    return Size(points, buildings, min(decoding), used, phases, run)


def build_beside_decoding(
    folder: Path,
    sides: tuple[int, int] = (2, 3),
    *,
    workers: int = 1,
    repeats: int = 1,
    compiled: bool = False,
) -> list[Row]:
    """Cities of `sides` squared blocks: cold and warm, by phase, the slope, the memory.

    With `compiled` the user's own cache of kernels is used, and nothing is cold.
    """
    cache, rows = "" if compiled else str(folder / "cache"), list[Row]()
    jobs = [make_city(folder / f"inputs-{side}", side) for side in sides]
    tiny = make_tiny_city(folder / "tiny", jobs[0])
    cold = 0.0
    if not compiled:
        cold, _ = program_cpu_s(BUILD, str(tiny), str(folder / "cold"), "1", cache=cache)
    start, _ = program_cpu_s(BUILD, str(tiny), str(folder / "warm"), str(workers), cache=cache)
    group = f"A build of one building, {workers} worker(s)"
    rows.append(Row(group, "start-up, warm", start, "CPU s"))
    if not compiled:
        rows.append(Row(group, "compilation, once on a machine", cold - start, "CPU s"))
    small, large = (
        measure(job, folder / f"cities-{side}", workers=workers, cache=cache, repeats=repeats)
        for job, side in zip(jobs, sides, strict=True)
    )
    for side, size in zip(sides, (small, large), strict=True):
        group = (
            f"All LoDs with tiles and links, {side} x {side}: {size.points / 1e6:.1f} M points"
        )
        floor = size.decoding
        rows.append(Row(group, "decoding alone", floor, "CPU s", 1.0, "decoding"))
        for name, phase in PHASES.items():
            seconds = size.phases.get(phase, 0.0)
            rows.append(Row(group, name, seconds, "CPU s", seconds / floor, "decoding"))
        models = sum(size.phases.get(phase, 0.0) for phase in ("read", "decode", "blocks"))
        speed = size.buildings / models
        rows.append(Row(group, "buildings from LAZ to CityJSON", speed, "1/CPU s"))
        warm = size.build - start
        rows.append(
            Row(group, "whole build, start-up apart", warm, "CPU s", warm / floor, "decoding")
        )
        for name, key in (("parent", "peak_memory_kb"), ("worker", "peak_memory_worker_kb")):
            rows.append(Row(group, f"peak memory of the {name}", size.run[key] / 1e3, "MB"))
    floor = max(large.decoding - small.decoding, 1e-9)
    group = f"Slope from {sides[0]} x {sides[0]} to {sides[1]} x {sides[1]}"
    rows.append(Row(group, "decoding alone", floor, "CPU s", 1.0, "decoding"))
    for name, phase in PHASES.items():
        seconds = large.phases.get(phase, 0.0) - small.phases.get(phase, 0.0)
        rows.append(Row(group, name, seconds, "CPU s", seconds / floor, "decoding"))
    grown = large.build - small.build
    rows.append(Row(group, "whole build", grown, "CPU s", grown / floor, "decoding"))
    return rows
