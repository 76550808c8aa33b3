from __future__ import annotations

import hashlib
import struct
import zipfile

from cimkit.write.archive import INDEX, pack_archive
from tests.extruded import boxes, write_tiles


def packed(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    write_tiles(folder, boxes(60), tile_buildings=8)
    assert pack_archive(folder, tmp_path / f"{name}.3tz") == len(list(folder.iterdir()))
    return folder, tmp_path / f"{name}.3tz"


def test_each_file_is_found_by_the_hash_of_its_name(tmp_path):
    folder, path = packed(tmp_path, "a")
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        index = archive.read(INDEX)
        assert archive.namelist()[-1] == INDEX
    rows = list(struct.iter_unpack("<QQQ", index))
    assert rows == sorted(rows)
    place_of = {struct.pack("<QQ", low, high): place for low, high, place in rows}
    for file in folder.iterdir():
        place = place_of.pop(hashlib.md5(file.name.encode()).digest())
        head = struct.unpack_from("<4s5H3I2H", data, place)
        assert head[0] == b"PK\3\4"
        method, size, name_size, extra_size = head[3], head[8], head[9], head[10]
        assert method == 0
        start = place + 30 + name_size + extra_size
        assert data[place + 30 :][:name_size].decode() == file.name
        assert data[start : start + size] == file.read_bytes()
    assert place_of == {}


def test_the_same_tiles_give_the_same_bytes(tmp_path):
    assert packed(tmp_path, "a")[1].read_bytes() == packed(tmp_path, "b")[1].read_bytes()
