"""LAS and LAZ files: sound ones are read whole, lying ones are refused before any decoder."""

from __future__ import annotations

import shutil
import struct

import laspy
import numpy as np
import pytest

from cimkit.errors import CrsError, FormatError, InputError
from cimkit.read.cloud_crs import check_cloud_crs, open_cloud
from cimkit.read.las_header import probe_las
from cimkit.read.points import find_clouds, iterate_points, read_points

COUNT_AT, RETURNS_AT = 247, 255  # LAS 1.4


def write_cloud(path, n=5000, version="1.4", point_format=6, crs=None, seed=0):
    rng = np.random.default_rng(seed)
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.scales, header.offsets = [0.001] * 3, [500_000, 3_350_000, 0]
    if crs:
        header.add_crs(crs)
    cloud = laspy.LasData(header)
    cloud.x = 500_000 + rng.uniform(0, 100, n)
    cloud.y = 3_350_000 + rng.uniform(0, 100, n)
    cloud.z = rng.uniform(20, 60, n)
    cloud.classification = rng.choice([1, 2, 6], n).astype(np.uint8)
    cloud.return_number[:] = 1
    cloud.number_of_returns[:] = 1
    cloud.write(str(path))
    return cloud


def patch(path, at, kind, *values):
    data = bytearray(path.read_bytes())
    struct.pack_into(kind, data, at, *values)
    path.write_bytes(bytes(data))


@pytest.fixture(params=["las", "laz"])
def cloud_file(request, tmp_path):
    path = tmp_path / f"cloud.{request.param}"
    write_cloud(path)
    return path


def test_all_points_are_read_with_their_classes(tmp_path):
    path = tmp_path / "a.laz"
    written = write_cloud(path)
    cloud = read_points(path, crs="EPSG:4546")
    np.testing.assert_array_equal(cloud.x, written.x)
    np.testing.assert_array_equal(cloud.z, written.z)
    np.testing.assert_array_equal(cloud.classification, written.classification)


@pytest.mark.parametrize(("version", "point_format"), [("1.2", 1), ("1.2", 3), ("1.4", 8)])
def test_usual_versions_are_read(tmp_path, version, point_format):
    path = tmp_path / "a.laz"
    write_cloud(path, version=version, point_format=point_format)
    header = probe_las(path)
    assert (header.version, header.point_format, header.n_points) == (
        version,
        point_format,
        5000,
    )
    assert len(read_points(path)) == 5000


@pytest.mark.parametrize("point_format", [1, 3, 6])
@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_returns_are_read(tmp_path, point_format, suffix):
    version = "1.4" if point_format == 6 else "1.2"
    las = laspy.LasData(laspy.LasHeader(version=version, point_format=point_format))
    las.x = las.y = las.z = np.arange(6.0)
    las.return_number = [1, 1, 2, 1, 2, 3]
    las.number_of_returns = [1, 2, 2, 3, 3, 3]
    las.write(str(tmp_path / f"a.{suffix}"))
    cloud = read_points(tmp_path / f"a.{suffix}")
    assert cloud.return_number is not None
    assert cloud.number_of_returns is not None
    assert cloud.return_number.tolist() == [1, 1, 2, 1, 2, 3]
    assert cloud.number_of_returns.tolist() == [1, 2, 2, 3, 3, 3]


def test_chunks_together_are_the_file(cloud_file):
    header = probe_las(cloud_file)
    parts = list(iterate_points(header, chunk=1700))
    assert [len(part) for part in parts] == [1700, 1700, 1600]
    whole = read_points(cloud_file)
    np.testing.assert_array_equal(np.concatenate([part.y for part in parts]), whole.y)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_refused(cloud_file, share):
    data = cloud_file.read_bytes()
    cloud_file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(FormatError, match=cloud_file.name):
        read_points(cloud_file)


def test_a_las_file_cut_at_a_record_is_refused(tmp_path):
    path = tmp_path / "a.las"
    write_cloud(path)
    path.write_bytes(path.read_bytes()[: -1000 * 30])
    with pytest.raises(
        FormatError, match=r"promises 5,000 points.*4,000 whole records .on_short"
    ):
        probe_las(path)


@pytest.mark.parametrize(("version", "kind"), [("1.2", 1), ("1.4", 6)])
@pytest.mark.parametrize("lost", [1, 30, 31, 4999 * 30, 5000 * 30])
def test_whole_records_of_a_cut_file_are_kept_on_demand(tmp_path, version, kind, lost):
    path = tmp_path / "a.las"
    written = write_cloud(path, version=version, point_format=kind)
    record = written.header.point_format.size
    lost = lost // 30 * record + lost % 30
    if version == "1.4":  # a record that stood behind the points is gone with them
        patch(path, 235, "<QI", path.stat().st_size, 1)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(FormatError, match="promises"):
        open_cloud(path)
    header = open_cloud(path, keep_short=True)
    n = 5000 - -(-lost // record)
    assert (header.n_points, header.n_missing) == (n, 5000 - n)
    parts = list(iterate_points(header, chunk=700))
    x = np.concatenate([np.empty(0), *(part.x for part in parts)])
    np.testing.assert_array_equal(x, np.asarray(written.x)[:n])


def test_what_follows_the_points_is_not_kept_as_points(tmp_path):
    path = tmp_path / "a.las"
    write_cloud(path)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(60 + 300))
    patch(path, 235, "<QI", size, 1)
    patch(path, COUNT_AT, "<Q", 6000)
    patch(path, RETURNS_AT, "<Q", 6000)
    header = probe_las(path, keep_short=True)
    assert (header.n_points, header.n_missing) == (5000, 1000)
    assert sum(map(len, iterate_points(header))) == 5000


def test_nothing_of_a_cut_laz_file_is_kept(tmp_path):
    path = tmp_path / "a.laz"
    write_cloud(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FormatError):
        probe_las(path, keep_short=True)


@pytest.mark.parametrize("count", [2500, 10_000, 1_000_000, 10**12, 2**63])
def test_a_lying_count_is_refused_without_decoding(tmp_path, count):
    path = tmp_path / "a.laz"
    write_cloud(path, n=120_000)
    patch(path, COUNT_AT, "<Q", count)
    patch(path, RETURNS_AT, "<Q", count)
    with pytest.raises(FormatError, match="promises"):
        probe_las(path)


@pytest.mark.parametrize(
    ("at", "kind", "value", "words"),
    [
        (0, "4s", b"LASX", "does not begin with LASF"),
        (25, "B", 9, "unknown version"),
        (100, "<I", 2**31, "variable length records"),
        (104, "B", 0x80 | 30, "point format"),
        (131, "<d", float("nan"), "not finite"),
        (131, "<d", 0.0, "scale"),
        (131, "<d", 1e300, "scale"),
        (155, "<d", float("inf"), "not finite"),
        (179, "<d", -1e6, "minimum above maximum"),
        (96, "<I", 2**31, "do not fit"),
        (RETURNS_AT, "<Q", 17, "by return"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(tmp_path, at, kind, value, words):
    path = tmp_path / "a.laz"
    write_cloud(path)
    patch(path, at, kind, value)
    with pytest.raises(FormatError, match=words):
        probe_las(path)


@pytest.mark.parametrize("n_chunks", [2**24, 2**32 - 1, 0])
def test_a_lying_chunk_table_is_refused_without_decoding(tmp_path, n_chunks):
    path = tmp_path / "a.laz"
    write_cloud(path)
    data = path.read_bytes()
    start = struct.unpack_from("<I", data, 96)[0]
    table = struct.unpack_from("<q", data, start)[0]
    patch(path, table + 4, "<I", n_chunks)
    with pytest.raises(FormatError, match="chunks"):
        probe_las(path)


def test_points_outside_the_box_of_the_header_show_damage(tmp_path):
    path = tmp_path / "a.las"
    write_cloud(path)
    start = struct.unpack_from("<I", path.read_bytes(), 96)[0]
    patch(path, start + 30 * 17, "<i", 900_000)
    with pytest.raises(FormatError, match="outside the box"):
        read_points(path)


def test_an_empty_cloud_is_a_cloud(tmp_path):
    path = tmp_path / "a.laz"
    write_cloud(path, n=0)
    assert len(read_points(path)) == 0


def test_files_folders_and_patterns_each_once(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.laz", "a.LAZ", "deep/c.las"):
        write_cloud(tmp_path / "x.laz" if name.endswith("Z") else tmp_path / name, n=10)
    shutil.move(tmp_path / "x.laz", tmp_path / "a.LAZ")
    (tmp_path / "notes.txt").write_text("no cloud")
    given = [str(tmp_path), str(tmp_path / "*.laz"), str(tmp_path / "b.laz")]
    assert [path.name for path in find_clouds(given)] == ["a.LAZ", "b.laz", "c.las"]
    assert find_clouds(given[::-1]) == find_clouds(given)


@pytest.mark.parametrize("name", ["missing.laz", "*.laz", "."])
def test_no_cloud_found_says_where_it_looked(tmp_path, name):
    with pytest.raises(InputError, match="no LAS or LAZ file found"):
        find_clouds([str(tmp_path / name)])


def test_another_crs_in_the_header_stops(tmp_path):
    pyproj = pytest.importorskip("pyproj")
    path = tmp_path / "a.laz"
    write_cloud(path, crs=pyproj.CRS("EPSG:4547"))
    check_cloud_crs(probe_las(path), "EPSG:4547+5737")
    with pytest.raises(CrsError, match=r"CM 114E.*CM 111E"):
        check_cloud_crs(probe_las(path), "EPSG:4546+5737")


def test_real_headers(real_data):
    expected = {"ahn3_cropped_1.laz": 640_510, "ahn3_cropped_2.laz": 208_432}
    for path in sorted((real_data / "delft_centre").glob("*.laz")):
        assert probe_las(path).n_points == expected[path.name]
    for path in sorted(real_data.rglob("*.laz")):
        assert probe_las(path).n_points > 10_000, path


def test_feet_contradict_a_metric_city(real_data):
    header = probe_las(real_data / "misc_las" / "autzen_trim.laz")
    with pytest.raises(CrsError, match="in units of foot"):
        check_cloud_crs(header, "EPSG:7415")
