"""CPU seconds of a whole build beside those of only decoding the same LAZ files.

    python benchmarks/build_against_decoding.py [JOB.toml] [--workers N]

Decoding is the floor: no program can use points that it has not decoded. Start-up (imports,
spawned workers) and the compilation of the kernels are measured apart, because they do not grow
with the city. All figures are CPU seconds, user and system, of the process and its children.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "data-samples" / "city.toml"


DECODE = """
import sys
from cimkit.read.job import read_job
from cimkit.read.las_header import probe_las
from cimkit.read.points import find_clouds, iterate_points
n = 0
for path in find_clouds(read_job(sys.argv[1])["points"]):
    n += sum(len(chunk) for chunk in iterate_points(probe_las(path)))
print(n)
"""

IMPORT_READERS = """
import cimkit.read.job, cimkit.read.points
"""

BUILD = """
import sys
import cimkit
from cimkit.read.job import read_job
if __name__ == "__main__":
    values = {**read_job(sys.argv[1]), "workers": int(sys.argv[3])}
    cimkit.build(sys.argv[2], cimkit.Job.from_mapping(values))
"""


def cpu_seconds(code: str, *arguments: str, cache: str | None = None) -> tuple[float, str]:
    """CPU seconds of a Python program with all its children, and what it printed."""
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": cache} if cache else {})}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "program.py")
        script.write_text(code)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, done.stdout


def tiny_job(job: str, folder: str) -> str:
    """A job with one building, one cloud file of one point, and all else as in `job`."""
    import laspy
    import numpy as np
    import shapely

    import cimkit
    from cimkit.read.job import read_job
    from cimkit.write.points import write_points

    values = read_job(job)
    crs = values["crs"]
    footprints, _ = cimkit.clean(
        cimkit.read_footprints(
            values["footprints"], layer=values.get("footprint_layer", ""), crs=crs
        )[0]
    )
    one = footprints.take(np.array([0])).to_geopandas()
    one.to_file(Path(folder, "one.gpkg"), layer="one")
    x, y = shapely.get_coordinates(one.geometry.representative_point())[0]
    write_points(
        Path(folder, "one.laz"), np.array([[x, y, 9.0]]), np.array([6], np.uint8), crs=crs
    )
    assert laspy.read(Path(folder, "one.laz")).header.point_count == 1
    path = Path(folder, "tiny.toml")
    path.write_text(
        f'footprints = "one.gpkg"\npoints = "one.laz"\ncrs = "{crs}"\nundulation = 0.0\n'
    )
    return str(path)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", nargs="?", default=str(SAMPLE))
    parser.add_argument("--workers", default="1")
    parser.add_argument("--json", type=Path, help="write the figures")
    arguments = parser.parse_args()
    job, workers = arguments.job, arguments.workers
    with tempfile.TemporaryDirectory() as folder:
        cache = f"{folder}/cache"
        imports, _ = cpu_seconds(IMPORT_READERS)
        decoding, printed = cpu_seconds(DECODE, job)
        cold, _ = cpu_seconds(BUILD, job, f"{folder}/cold", workers, cache=cache)
        warm, _ = cpu_seconds(BUILD, job, f"{folder}/warm", workers, cache=cache)
        tiny = tiny_job(job, folder)
        start, _ = cpu_seconds(BUILD, tiny, f"{folder}/tiny", workers, cache=cache)
        run = json.loads(Path(folder, "warm", "run.json").read_text())
    figures = {
        "points": int(printed),
        "decoding": decoding - imports,
        "build": warm - start,
        "build / decoding": (warm - start) / (decoding - imports),
        "start-up": start,
        "compilation": cold - warm,
        "peak memory of the parent, MB": run["peak_memory_kb"] / 1000,
        "peak memory of a worker, MB": run["peak_memory_worker_kb"] / 1000,
    }
    for name, value in figures.items():
        print(f"{name:32}{value:>14,.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
