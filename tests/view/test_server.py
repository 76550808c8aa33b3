from __future__ import annotations

import gzip
import json
from urllib.parse import quote

import numpy as np
import pyproj
import pytest

import cimkit
from cimkit.errors import InputError, ParameterError
from cimkit.view.answers import open_answers
from cimkit.view.server import ViewServer
from tests.extruded import boxes, write_tiles
from tests.view.conftest import Client


def test_the_page_and_its_policy(client):
    status, headers, body = client.ask("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"viewer.js" in body
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval'" in policy  # of WebAssembly alone
    assert "'unsafe-eval'" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_the_page_is_told_of_the_city(client, city_folder):
    told, city = client.json("/city.json"), cimkit.open_city(city_folder)
    assert told["counts"]["buildings"] == len(city.buildings) == 30
    assert told["tilesets"]["buildings"] == "data/tiles/tileset.json"
    assert all(told["has"].values())
    box = city.footprints.bounds
    places = (box[:, :2] + box[:, 2:]) / 2
    middle = np.quantile(places, [0.02, 0.98], axis=0).mean(axis=0)
    lon, lat = pyproj.Transformer.from_crs("EPSG:4546", "EPSG:4326", always_xy=True).transform(
        *middle.tolist()
    )
    assert (told["centre"]["lon"], told["centre"]["lat"]) == pytest.approx((lon, lat))
    assert told["centre"]["radius"] >= 100
    assert told["height_top"] % 10 == 0
    assert 0 <= told["height_top"] - np.quantile(city.buildings.height, 0.98) < 20
    eye, target = (np.array(told["street"][end]) for end in ("eye", "target"))
    assert np.abs(eye[:2] - [lon, lat]).max() < 0.01  # a kilometre
    assert 0 < target[2] - eye[2] < 20


def test_tiles_are_sent_and_nothing_else(client, city_folder):
    status, headers, body = client.ask("/data/tiles/tileset.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert body == (city_folder / "tiles" / "tileset.json").read_bytes()
    for path in ("city.gpkg", "manifest.json", "tiles/", "tiles", "report.html", "run.json"):
        assert client.ask(f"/data/{path}")[0] == 404


def test_a_packed_twin_is_sent_to_those_who_can_read_it(client, city_folder):
    file = city_folder / "tiles" / "tileset.json"
    twin = file.with_name("tileset.json.gz")
    twin.write_bytes(gzip.compress(file.read_bytes()))
    try:
        _, headers, body = client.ask(
            "/data/tiles/tileset.json", headers={"Accept-Encoding": "gzip"}
        )
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(body) == file.read_bytes()
        _, headers, body = client.ask("/data/tiles/tileset.json")
        assert "Content-Encoding" not in headers
        assert body == file.read_bytes()
    finally:
        twin.unlink()


def test_a_building_is_found_by_code_identifier_and_address(client, city_folder):
    city = cimkit.open_city(city_folder)
    row = next(r for r, name in enumerate(city.links.building_id.tolist()) if name)
    name = str(city.links.building_id[row])
    at = city.buildings.building_id.tolist().index(name)
    code = str(city.buildings.code[at])
    texts = dict(
        zip(
            city.addresses.address_id.tolist(),
            city.addresses.address_text.tolist(),
            strict=True,
        )
    )
    text = texts[str(city.links.address_id[row])]
    for asked in (code, name, text):
        first = client.json(f"/api/search?q={quote(asked)}")["results"][0]
        assert first["building_id"] == name
        assert first["code"] == code
        assert first["radius"] > 1
    place = client.json(f"/api/search?q={quote(name)}")["results"][0]
    known = client.json(f"/api/building?id={quote(name)}")
    assert {key: known[key] for key in ("lon", "lat")} == {
        key: place[key] for key in ("lon", "lat")
    }
    assert known["attributes"]["height"] == pytest.approx(city.buildings.height[at])
    assert known["addresses"][0]["rule"].startswith("R")
    assert client.ask("/api/building?id=nobody")[0] == 404


def test_an_address_without_a_building_is_found_where_it_lies(client, city_folder):
    city = cimkit.open_city(city_folder)
    linked = set(city.links.address_id.tolist())
    points = city.addresses
    rows = [
        row
        for row, name in enumerate(points.address_id.tolist())
        if name not in linked and np.isfinite(points.x[row])
    ]
    assert rows
    text = str(points.address_text[rows[0]])
    found = client.json(f"/api/search?q={quote(text)}")["results"]
    lonely = [row for row in found if row["text"] == text and not row["building_id"]]
    assert lonely
    to_geodetic = pyproj.Transformer.from_crs("EPSG:4546", "EPSG:4326", always_xy=True)
    lon, lat = to_geodetic.transform(float(points.x[rows[0]]), float(points.y[rows[0]]))
    assert (lonely[0]["lon"], lonely[0]["lat"]) == pytest.approx((lon, lat))


@pytest.mark.parametrize(
    "text", ["", "%", "_", "!", "'; DROP TABLE buildings; --", "没有", "\x00"]
)
def test_texts_that_find_nothing(client, text):
    assert client.json(f"/api/search?q={quote(text)}") == {"results": []}


def test_the_number_of_rows_is_limited(client):
    assert len(client.json("/api/search?q=B&limit=5")["results"]) == 5
    assert len(client.json("/api/search?q=B&limit=1000000")["results"]) <= 100


def test_what_tiles_do_not_say(client, city_folder):
    city = cimkit.open_city(city_folder)
    ids = [*city.buildings.building_id.tolist(), "nobody"]
    told = client.json("/api/attributes", method="POST", body=json.dumps({"ids": ids}).encode())
    linked = set(city.links.building_id.tolist())
    for name, state, quality in zip(ids, told["link_state"], told["quality"], strict=True):
        if name == "nobody":
            assert state is quality is None
        else:
            assert (state != "unlinked") == (name in linked)
            assert quality in ("good", "doubtful")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"ids": 3}', b'{"ids": [3]}', b"[" * 5000, b"x"]
)
def test_questions_that_are_none(client, body):
    assert client.ask("/api/attributes", method="POST", body=body)[0] == 404


def test_another_host_is_not_answered(client):
    """A page of the internet may lead its own name here: the browser then says that name."""
    assert client.ask("/city.json", headers={"Host": "evil.example"})[0] == 403
    assert client.ask("/city.json", headers={"Host": "localhost:80"})[0] == 200


PIECES = (
    *("..", "%2e%2e", "%2f", "%5c", "\\", "/", "//", "data", "tiles", "tileset.json", "%00"),
    *("city.gpkg", "etc", "passwd", "C:", "api", "search", "?id=", "?q=%ff", "%", "%zz", "é"),
    *("..;", "....//", "9" * 300, "-1", "%c0%ae%c0%ae", "manifest.json", "viewer.js"),
)


def test_a_thousand_strange_addresses(client, city_folder):
    """Nothing breaks, and nothing from outside comes out."""
    rng = np.random.default_rng(11)
    outside = (city_folder / "manifest.json").read_bytes()[:40]
    for _ in range(1000):
        parts = [PIECES[k] for k in rng.integers(0, len(PIECES), rng.integers(1, 6))]
        path = "/" + quote("/".join(parts), safe="/%?=;\\.:")
        status, _, body = client.ask(path)
        assert status in (200, 400, 403, 404), path
        assert b"root:" not in body
        assert outside not in body
        if status == 404:
            assert body == b'{"error": "not found"}'


def test_links_out_of_the_folder_are_not_followed(client, city_folder, tmp_path):
    (tmp_path / "secret.json").write_text('"secret"')
    link = city_folder / "tiles" / "out.json"
    link.symlink_to(tmp_path / "secret.json")
    try:
        assert client.ask("/data/tiles/out.json")[0] == 404
    finally:
        link.unlink()


@pytest.mark.parametrize("implicit", [False, True])
def test_a_tileset_alone(tmp_path, dist, implicit):
    folder = tmp_path / "tiles"
    folder.mkdir()
    write_tiles(folder, boxes(20), implicit=implicit)
    server = ViewServer(open_answers(folder), dist=dist)
    server.start()
    try:
        client = Client(server.url)
        told = client.json("/city.json")
        assert not any(told["has"].values())
        assert told["tilesets"] == {
            "buildings": "data/tileset.json",
            "terrain": None,
            "points": None,
        }
        assert 110 < told["centre"]["lon"] < 112
        assert 27 < told["centre"]["lat"] < 28
        assert client.json("/api/search?q=x") == {"results": []}
    finally:
        server.close()


def test_what_cannot_be_shown(tmp_path, city_folder):
    with pytest.raises(InputError, match="does not exist"):
        open_answers(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no city folder and no tileset"):
        open_answers(tmp_path)
    with pytest.raises(ParameterError, match="npm run build"):
        ViewServer(open_answers(city_folder), dist=tmp_path)


def test_a_port_that_is_taken(client, city_folder, dist):
    port = int(client.host.split(":")[1])
    with pytest.raises(InputError, match=f"port {port}"):
        ViewServer(open_answers(city_folder), port, dist)


def test_a_city_shows_itself_in_a_notebook(city_folder, dist):
    shown = cimkit.open_city(city_folder).view(dist=dist)
    try:
        assert f'src="{shown.url}"' in shown._repr_html_()
        assert Client(shown.url).ask("/")[0] == 200
    finally:
        shown.close()
