"""COPC files made by copclib from points, for tests."""

from __future__ import annotations

import struct

import copclib
import numpy as np

SCALE = 0.001
RECORD = 30  # point format 6


def records(x, y, z, classes, offset):
    """Records of point format 6, shape (n, 30)."""
    raw = np.zeros((len(x), RECORD), dtype=np.uint8)
    for at, values, start in ((0, x, offset[0]), (4, y, offset[1]), (8, z, offset[2])):
        whole = np.round((values - start) / SCALE).astype("<i4")
        raw[:, at : at + 4] = whole.view(np.uint8).reshape(-1, 4)
    raw[:, 14] = 0x31  # first of three returns
    raw[:, 16] = classes
    return raw


def write_copc(path, xyz, classes, *, node_points=2000, crs="", paged=False):
    """Write points as COPC: each node takes some at random, its children the rest."""
    x, y, z = xyz.T
    low = np.array([x.min(), y.min(), z.min()])
    high = np.array([x.max(), y.max(), z.max()])
    offset = np.floor(low)
    config = copclib.CopcConfigWriter(
        6, copclib.Vector3(*[SCALE] * 3), copclib.Vector3(*offset.tolist()), crs
    )
    half = float((high - low).max() / 2 + 1)
    middle = (low + high) / 2
    info = config.copc_info
    info.center_x, info.center_y, info.center_z = middle.tolist()
    info.halfsize, info.spacing = half, half / 64
    header = config.las_header
    header.min, header.max = copclib.Vector3(*low.tolist()), copclib.Vector3(*high.tolist())
    header.points_by_return = [len(x), *[0] * 14]
    writer = copclib.FileWriter(str(path), config)
    raw = records(x, y, z, classes, offset)

    start = middle - half
    order = np.random.default_rng(0).permutation(len(x))

    def add(level, place, rows, page):
        key = copclib.VoxelKey(level, *place)
        own, rest = rows[:node_points], rows[node_points:]
        data = copclib.VectorChar(raw[own].reshape(-1).view(np.int8))
        writer.AddNode(key, data, page)
        side = 2 * half / 2 ** (level + 1)
        child = np.floor((xyz[rest] - start) / side).astype(int)
        for corner in np.unique(child, axis=0).tolist():
            inside = rest[(child == corner).all(axis=1)]
            below = copclib.VoxelKey(level + 1, *corner) if paged and level == 0 else page
            add(level + 1, corner, inside, below)

    add(0, (0, 0, 0), order, copclib.VoxelKey(0, 0, 0, 0))
    writer.Close()


def hierarchy(path):
    """Where the root page of a COPC file lies: byte and length."""
    return struct.unpack_from("<QQ", path.read_bytes(), 375 + 54 + 40)
