"""COPC: the needed nodes alone, the same points, a hierarchy believed in nothing."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from cimkit.errors import CimkitError, FormatError, LimitError
from cimkit.read import copc
from cimkit.read.copc import is_copc, iterate_nodes, read_octree
from cimkit.read.describe import describe
from cimkit.read.las_header import probe_las
from cimkit.read.points import iterate_points, read_points
from cimkit.write.points import write_points
from tests.read.copc_files import hierarchy, write_copc

EAST, NORTH = 500_000.0, 3_350_000.0
N = 40_000


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(1)
    low, high = (EAST, NORTH, 0), (EAST + 400, NORTH + 300, 60)
    xyz = np.round(rng.uniform(low, high, (N, 3)), 3)
    return xyz, rng.choice([1, 2, 6], N).astype(np.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cloud):
    path = tmp_path_factory.mktemp("copc") / "a.copc.laz"
    write_copc(path, *cloud, paged=True)
    return path


@pytest.fixture(scope="module")
def flat(tmp_path_factory, cloud):
    """The same in one page."""
    path = tmp_path_factory.mktemp("flat") / "a.copc.laz"
    write_copc(path, *cloud)
    return path


@pytest.fixture
def file(whole, tmp_path):
    """A copy to spoil."""
    path = tmp_path / "a.copc.laz"
    path.write_bytes(whole.read_bytes())
    return path


def table(parts):
    """All points as rows, sorted."""
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("x", "y", "z", "classification")
    ]
    rows = np.column_stack(columns)
    return rows[np.lexsort(rows.T)]


def entries(path):
    """Place of each entry of the root page."""
    at, size = hierarchy(path)
    return range(at, at + size, 32)


def patch(path, at, kind, *values):
    data = bytearray(path.read_bytes())
    struct.pack_into(kind, data, at, *values)
    path.write_bytes(bytes(data))


def test_the_points_are_those_of_the_plain_file(whole, cloud, tmp_path):
    plain = tmp_path / "a.laz"
    write_points(plain, *cloud, crs="EPSG:4546")
    assert not is_copc(probe_las(plain))
    octree = read_octree(probe_las(whole))
    nodes = list(iterate_nodes(octree, np.arange(len(octree.offset)), ""))
    expected = table([read_points(plain)])
    np.testing.assert_array_equal(table(nodes), expected)
    np.testing.assert_array_equal(table([read_points(whole)]), expected)
    for node in nodes:
        assert node.return_number is not None
        assert node.number_of_returns is not None
        assert set(node.return_number.tolist()) == {1}
        assert set(node.number_of_returns.tolist()) == {3}


@pytest.mark.parametrize("place", [(0, 0), (90, 90), (395, 295), (-500, 0)])
def test_a_box_needs_few_nodes_and_loses_no_point(whole, cloud, place):
    box = EAST + place[0], NORTH + place[1], EAST + place[0] + 20, NORTH + place[1] + 20
    header = probe_las(whole)
    parts = list(iterate_points(header, box=box))
    x, y, _ = cloud[0].T
    inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
    seen = table(parts) if parts else np.empty((0, 4))
    kept = (seen[:, 0] >= box[0]) & (seen[:, 0] <= box[2])
    kept &= (seen[:, 1] >= box[1]) & (seen[:, 1] <= box[3])
    assert kept.sum() == inside.sum()
    assert len(seen) < N / 2


def test_pages_are_followed(whole):
    octree = read_octree(probe_las(whole))
    counts = [struct.unpack_from("<i", whole.read_bytes(), at + 28)[0] for at in entries(whole)]
    assert -1 in counts, "the file has one page"
    assert sum(count for count in counts if count > 0) < octree.n_points.sum() == N


def test_it_is_described(whole):
    facts = describe(whole)
    assert facts["format"] == "COPC (LAZ 1.4), point format 6"
    assert facts["points"] == N


def spoil(path, name):
    """One lie in the hierarchy."""
    data = path.read_bytes()
    count = {at: struct.unpack_from("<i", data, at + 28)[0] for at in entries(path)}
    node = next(at for at, n in count.items() if n > 0)
    page = next(at for at, n in count.items() if n == -1)
    size = len(data)
    at, kind, value = {
        "root page outside": (375 + 54 + 40, "<Q", size),
        "root page of 2^60 bytes": (375 + 54 + 48, "<Q", 2**60),
        "root page of odd size": (375 + 54 + 48, "<Q", 33),
        "octree without size": (375 + 54 + 24, "<d", 0.0),
        "octree of NaN": (375 + 54 + 0, "<d", float("nan")),
        "page in a circle": (page + 16, "<QI", hierarchy(path)),
        "page outside": (page + 16, "<Q", 2**63),
        "page of negative size": (page + 24, "<i", -32),
        "node outside": (node + 16, "<Q", size),
        "node at 2^63": (node + 16, "<Q", 2**63 + 5),
        "node in the header": (node + 16, "<Q", 100),
        "node of negative size": (node + 24, "<i", -5),
        "node of 2 GB": (node + 24, "<i", 2**31 - 1),
        "more points": (node + 28, "<i", 3000),
        "points below zero": (node + 28, "<i", -7),
        "points of 2^31": (node + 28, "<i", 2**31 - 1),
        "a level below zero": (node, "<i", -1),
        "a level of a million": (node, "<i", 1_000_000),
        "a place beside the octree": (node + 4, "<i", 77),
        "octree elsewhere": (375 + 54, "<d", EAST + 200.7),
    }[name]
    patch(path, at, kind, *(value if isinstance(value, tuple) else (value,)))


LIES = [
    "root page outside", "root page of 2^60 bytes", "root page of odd size",
    "octree without size", "octree of NaN", "page in a circle", "page outside",
    "page of negative size", "node outside", "node at 2^63", "node in the header",
    "node of negative size", "node of 2 GB", "more points", "points below zero",
    "points of 2^31", "a level below zero", "a level of a million",
    "a place beside the octree",
]  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_lie_in_the_hierarchy_is_refused(file, name):
    spoil(file, name)
    with pytest.raises((FormatError, LimitError), match=r"a\.copc\.laz"):
        read_octree(probe_las(file))


def test_an_octree_that_stands_elsewhere_is_noticed(file):
    spoil(file, "octree elsewhere")
    header = probe_las(file)
    octree = read_octree(header)
    with pytest.raises(FormatError, match="points of another place"):
        list(iterate_nodes(octree, np.arange(len(octree.offset)), ""))


def test_a_doubled_node_and_shared_bytes(file, flat):
    data = flat.read_bytes()
    file.write_bytes(data)
    nodes = [at for at in entries(file) if struct.unpack_from("<i", data, at + 28)[0] >= 0]
    patch(file, nodes[1], "16s", data[nodes[0] : nodes[0] + 16])
    with pytest.raises(FormatError, match="stands there twice"):
        read_octree(probe_las(file))
    file.write_bytes(data)
    patch(file, nodes[1] + 16, "12s", data[nodes[0] + 16 : nodes[0] + 28])
    with pytest.raises(FormatError, match="share bytes"):
        read_octree(probe_las(file))


def test_limits_say_what_to_do(whole, monkeypatch):
    monkeypatch.setattr(copc, "COPC_NODES_MAX", 3)
    with pytest.raises(LimitError, match="larger ones"):
        read_octree(probe_las(whole))
    monkeypatch.undo()
    monkeypatch.setattr(copc, "COPC_NODE_POINTS_MAX", 100)
    with pytest.raises(LimitError, match="smaller ones"):
        read_octree(probe_las(whole))


def test_a_flipped_byte_of_the_hierarchy_hardly_ever_gives_other_points(flat, file, cloud):
    """Each is refused, or the points are the same, but where two nodes change places."""
    data = flat.read_bytes()
    rng = np.random.default_rng(5)
    at, size = hierarchy(flat)
    places = [*rng.integers(375 + 54, 375 + 54 + 56, 40), *rng.integers(at, at + size, 160)]
    box = EAST + 100, NORTH + 100, EAST + 120, NORTH + 120
    x, y, _ = cloud[0].T
    n = int(((x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])).sum())
    n_refused = n_wrong = 0
    for place in places:
        spoilt = bytearray(data)
        spoilt[place] ^= int(rng.integers(1, 256))
        file.write_bytes(bytes(spoilt))
        try:
            seen = table([*iterate_points(probe_las(file), box=box)])
        except CimkitError:
            n_refused += 1
            continue
        except ValueError:  # no node at all
            n_wrong += 1
            continue
        kept = (seen[:, 0] >= box[0]) & (seen[:, 0] <= box[2])
        kept &= (seen[:, 1] >= box[1]) & (seen[:, 1] <= box[3])
        n_wrong += int(kept.sum() != n)
    assert n_refused > 150
    assert n_wrong <= 2  # of 200
