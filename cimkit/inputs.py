"""What a build reads before it begins: footprints, addresses, headers of the clouds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely

from cimkit.codes.numbering import Numbering
from cimkit.errors import CrsError, FormatError, InputError
from cimkit.job import Job
from cimkit.read.addresses import read_addresses
from cimkit.read.checksums import check_sums
from cimkit.read.china_offsets import looks_shifted
from cimkit.read.cloud_crs import check_cloud_crs, open_cloud
from cimkit.read.crs import check_overlap, working_crs
from cimkit.read.divisions import read_division_names, read_divisions
from cimkit.read.footprints import read_footprints
from cimkit.read.formats import geodatabase_parts
from cimkit.read.las_header import LasHeader, move_cloud
from cimkit.read.occupancy import read_occupancy
from cimkit.read.points import find_clouds
from cimkit.read.privacy import KEY_VARIABLE
from cimkit.read.review import read_reviews
from cimkit.read.schemes import find_numbering
from cimkit.read.shapefile import shapefile_parts
from cimkit.read.terrain import probe_dem
from cimkit.steps.clean import clean
from cimkit.steps.divide import divide
from cimkit.steps.ground_filter import Bounds
from cimkit.tables import Addresses, Footprints, Issue, count_issues
from cimkit.tables._columns import TEXT, BoolArray, FloatArray, TextArray
from cimkit.tables.divisions import Divisions
from cimkit.tables.occupancy import Occupancy
from cimkit.tables.reportfacts import Balance, InputFile
from cimkit.tables.reviews import Reviews
from cimkit.write.partitions import file_sha256


class Inputs(NamedTuple):
    """Checked inputs of one build."""

    footprints: Footprints
    addresses: Addresses | None
    headers: Sequence[LasHeader]
    issues: list[Issue]
    balances: list[Balance]
    division: TextArray
    division_name: TextArray
    divisions: Divisions | None
    numbering: Numbering
    reviews: Reviews
    occupancy: Occupancy | None
    occupancy_rows: dict[str, int]

    @property
    def feature_counts(self) -> dict[str, int]:
        """Features of the footprint file, and what multipart ones add to them."""
        further = count_issues(self.issues).get("MULTIPART_SPLIT", 0)
        features = self.balances[0].in_count - further
        return {"features": features} | ({"further parts": further} if further else {})

    @property
    def bounds(self) -> Bounds:
        """Box of the footprints; there is always one."""
        return _around(self.footprints.bounds)


def read_inputs(job: Job) -> Inputs:
    """Read footprints and addresses, look at every cloud, and check that they belong together.

    Raises
    ------
    InputError
        If a file is damaged, has no CRS or another, or lies elsewhere than the footprints.
    """
    working_crs(job.crs)
    numbering = find_numbering(job.code_scheme, job.class_code)
    raw, issues = read_footprints(
        job.footprints,
        layer=job.footprint_layer,
        id_field=job.footprint_id,
        height_field=job.height_field,
        floors_field=job.floors_field,
        label_field=job.label_field,
        crs=job.crs,
        source_crs=job.footprints_crs,
        encoding=job.footprints_encoding,
    )
    footprints, found = clean(raw, on_duplicate=job.on_duplicate)
    issues += found
    if not len(footprints):
        reasons = ", ".join(f"{n} {code}" for code, n in count_issues(issues).items())
        raise InputError(
            f"none of its {len(raw)} features can be used ({reasons})",
            path=job.footprints,
            hint="Look at the geometries in a GIS.",
        )
    headers, found = _probe_clouds(job, footprints)
    issues += found + _probe_dem(job, footprints)
    addresses, found = _read_addresses(job, footprints)
    issues += found
    balance = _footprint_balance(len(raw), footprints, issues)
    division, names, divisions, found = _divide(job, footprints)
    reviews, notes = _read_reviews(job)
    occupancy, rows, counted = _read_occupancy(job)
    issues += found + notes + counted + _datum_issues(job)
    return Inputs(
        footprints,
        addresses,
        headers,
        issues,
        [balance],
        division,
        names,
        divisions,
        numbering,
        reviews,
        occupancy,
        rows,
    )


def input_files(
    job: Job, inputs: Inputs, clouds: Sequence[tuple[LasHeader, str, dict[str, int]]]
) -> list[InputFile]:
    """Name, size and fingerprint of each input, in an order of their own.

    Parameters
    ----------
    job : Job
    inputs : Inputs
    clouds : sequence of (LasHeader, str, dict)
        Each cloud with its SHA-256 and the counts of its points.
    """
    files = _files(job.footprints, "footprints", inputs.feature_counts)
    if job.addresses and inputs.addresses is not None:
        files += _files(job.addresses, "addresses", {"addresses": len(inputs.addresses)})
    if job.dem:
        files += _files(job.dem, "terrain", {})
    for path in (job.division, job.division_names):
        if path and not path.isdigit():
            files += _files(path, "divisions", {})
    if job.code_scheme.endswith(".toml"):
        files += _files(job.code_scheme, "code scheme", {})
    for path, n_rows in inputs.occupancy_rows.items():
        files += _files(path, "occupancy", {"rows": n_rows})
    for path in job.reviews:
        files += _files(path, "reviews", {})
    scans = [
        InputFile(cloud.path.name, "points", cloud.size_bytes, sha256, counts)
        for cloud, sha256, counts in clouds
    ]
    return files + sorted(scans, key=lambda file: (file.name, file.sha256))


def _datum_issues(job: Job) -> list[Issue]:
    """Tiles need heights above the ellipsoid; without a word on the geoid they are wrong."""
    if job.ellipsoidal or job.undulation is not None:
        return []
    message = (
        "tiles need heights above the ellipsoid: give --undulation M, or --ellipsoidal if they "
        "are; the tiles were placed as if the undulation were 0"
    )
    return [Issue("ERROR", "VERTICAL_DATUM_UNRESOLVED", "city", "", message)]


def _read_reviews(job: Job) -> tuple[Reviews, list[Issue]]:
    """Decisions of all sheets."""
    parts, issues = [], list[Issue]()
    for path in job.reviews:
        part, found = read_reviews(path)
        parts.append(part)
        issues += found
    return Reviews.concatenate(parts), issues


def _read_occupancy(job: Job) -> tuple[Occupancy | None, dict[str, int], list[Issue]]:
    """Counts by address, if the job names tables of them; the key of pseudonyms is no input."""
    if not (job.households or job.organisations):
        return None, {}, []
    key = os.environ.get(KEY_VARIABLE, "")
    return read_occupancy(job.households, job.organisations, key=key)


def _divide(
    job: Job, footprints: Footprints
) -> tuple[TextArray, TextArray, Divisions | None, list[Issue]]:
    """Code and name of the division of each building: of the job, or by the polygons."""
    n = len(footprints)
    if not job.division or job.division.isdigit():
        return np.full(n, job.division, TEXT), np.full(n, "", TEXT), None, []
    names, issues = read_division_names(job.division_names) if job.division_names else ({}, [])
    divisions, found = read_divisions(job.division, crs=job.crs, names=names)
    box = tuple(shapely.total_bounds(divisions.polygons).tolist())
    check_overlap(_around(footprints.bounds), box, "divisions")
    codes, doubts = divide(footprints, divisions)
    title = dict(zip(divisions.code.tolist(), divisions.name.tolist(), strict=True))
    titles = np.array([title.get(code, "") for code in codes.tolist()], TEXT)
    return codes, titles, divisions, issues + found + doubts


def _probe_clouds(job: Job, footprints: Footprints) -> tuple[list[LasHeader], list[Issue]]:
    """Headers of all clouds; some of them must reach some footprint."""
    if not job.points:
        return [], []
    headers, issues, files = [], [], find_clouds(job.points)
    if job.sha256sums:
        check_sums(job.sha256sums, files)
    for path in files:
        try:
            header = open_cloud(path, keep_short=job.on_short == "keep")
            check_cloud_crs(header, job.crs)
            headers.append(move_cloud(header, *job.cloud_shift))
            issues += _missing(header) + _converted(header)
        except FormatError as error:
            if job.on_bad_file == "error":
                raise
            issues.append(file_skipped(path.name, error))
    boxes = np.array([header.bounds for header in headers if header.n_points])
    if not len(boxes):
        return headers, issues
    near = _meeting(footprints, boxes)
    if not near.any():
        check_overlap(_around(footprints.bounds), _around(boxes), "point cloud")
        raise CrsError(
            "no footprint lies within any of the cloud files",
            path=job.footprints,
            hint="Check that footprints and clouds are of the same place.",
        )
    if near.all():
        return headers, issues
    message = f"{(~near).sum():,} of {len(near):,} footprints lie outside all cloud files"
    return headers, [*issues, Issue("WARNING", "CLOUD_PARTIAL", "points", "", message)]


def _missing(header: LasHeader) -> list[Issue]:
    """That a file cut short has lost points, where the job says to keep the others."""
    if not header.n_missing:
        return []
    name, n = header.path.name, header.n_points
    message = f"{name} is cut short: {header.n_missing:,} points are missing, {n:,} were kept"
    return [Issue("WARNING", "POINTS_MISSING", "points", name, message)]


def _converted(header: LasHeader) -> list[Issue]:
    """That a file in other units than metres was brought into them."""
    if header.unit == (1.0, 1.0, 1.0):
        return []
    message = f"{header.path.name} is not in metres: {header.unit} m a unit; converted"
    return [Issue("INFO", "UNITS_CONVERTED", "points", "", message)]


def file_skipped(name: str, error: Exception) -> Issue:
    """A cloud that cannot be read, where the job says to go on without it."""
    return Issue("ERROR", "FILE_SKIPPED", "points", name, f"set aside: {error}")


def _probe_dem(job: Job, footprints: Footprints) -> list[Issue]:
    """Look at the elevation model; it must reach some footprint, as clouds must."""
    if not job.dem:
        return []
    dem = probe_dem(job.dem, job.crs)
    near = _meeting(footprints, np.array([dem.bounds]))
    if not near.any():
        check_overlap(_around(footprints.bounds), dem.bounds, "elevation model")
        raise CrsError(
            "no footprint lies within it",
            path=job.dem,
            hint="Check that footprints and elevation model are of the same place.",
        )
    if near.all():
        return []
    message = f"{(~near).sum():,} of {len(near):,} footprints lie outside the elevation model"
    return [Issue("WARNING", "DEM_PARTIAL", "city", "", message)]


def _meeting(footprints: Footprints, boxes: FloatArray) -> BoolArray:
    """Footprints that meet some of the boxes."""
    near = np.zeros(len(footprints), dtype=np.bool_)
    for box in boxes:
        low, high = footprints.bounds[:, :2], footprints.bounds[:, 2:]
        near |= (low <= box[2:]).all(axis=1) & (high >= box[:2]).all(axis=1)
    return near


def _around(boxes: FloatArray) -> Bounds:
    """The box around boxes."""
    (west, south), (east, north) = boxes[:, :2].min(0).tolist(), boxes[:, 2:].max(0).tolist()
    return west, south, east, north


def _read_addresses(job: Job, footprints: Footprints) -> tuple[Addresses | None, list[Issue]]:
    if not job.addresses:
        return None, []
    addresses, issues = read_addresses(
        job.addresses,
        layer=job.address_layer,
        id_field=job.address_id,
        text_field=job.address_text,
        x_field=job.address_x,
        y_field=job.address_y,
        building_field=job.address_building,
        crs=job.crs,
        source_crs=job.addresses_crs,
        encoding=job.addresses_encoding,
    )
    ids = addresses.address_id.tolist()  # as footprints: the order of the file decides nothing
    rows = sorted(range(len(ids)), key=lambda row: (len(ids[row]), ids[row]))
    addresses = addresses.take(np.array(rows, dtype=np.int64))
    if addresses.total_bounds is not None:
        check_overlap(_around(footprints.bounds), addresses.total_bounds, "addresses")
    xy = np.column_stack([addresses.x, addresses.y])
    system = looks_shifted(xy, footprints.polygons(), job.crs)
    if system:
        message = (
            f"most addresses lie on no footprint, but would in {system}: if they are from a "
            f"web map, state --addresses-crs {system}. They were taken as they are"
        )
        issues.append(Issue("WARNING", "COORD_SUSPECT", "addresses", "", message))
    return addresses, issues


def _footprint_balance(n_read: int, footprints: Footprints, issues: list[Issue]) -> Balance:
    """Features, and the further parts of multipart ones, against what became of them."""
    counts = count_issues(issues)
    # A stray far from the city is left out by the reader, before the table is made.
    n_features = n_read + counts.get("COORD_OUTSIDE", 0)
    parts = {
        "accepted": len(footprints),
        "set aside": sum(i.severity == "ERROR" and i.table == "footprints" for i in issues),
    }
    return Balance("footprints", n_features + counts.get("MULTIPART_SPLIT", 0), parts)


def data_set(path: str) -> str:
    """Name and sum of a file, short enough for a row of history."""
    parts = geodatabase_parts(path) or [path]
    return f"{os.path.basename(path)} sha256 {file_sha256(parts[0])[:16]}"  # noqa: PTH119


def _files(path: str, kind: str, counts: dict[str, int]) -> list[InputFile]:
    """The file and those that it is read with; of a geodatabase its parts alone."""
    parts = geodatabase_parts(path) or [path, *shapefile_parts(path)]
    return [
        InputFile(
            os.path.basename(part),  # noqa: PTH119  (pathlib stays in read/ and write/)
            kind,
            os.path.getsize(part),  # noqa: PTH202
            file_sha256(part),
            counts if part == parts[0] else {},
        )
        for part in parts
    ]
