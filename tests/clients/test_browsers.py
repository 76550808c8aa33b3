"""Two clients that other people wrote load the tiles and find the buildings in them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from cimkit.tables._columns import TEXT
from cimkit.view.answers import open_answers
from cimkit.view.page import is_built
from cimkit.view.server import ViewServer
from cimkit.write.glb import Encoding
from tests.clients.conftest import served
from tests.extruded import PLACEMENT, boxes, write_tiles
from tests.node import missing
from tests.test_pipeline import build, small_inputs
from tests.view.conftest import HOSTILE
from tests.view.conftest import city_folder as city_folder

VARIANTS = {
    "plain": {"encoding": Encoding()},
    "meshopt": {"encoding": Encoding(meshopt=True)},
    "implicit, meshopt": {"encoding": Encoding(meshopt=True), "implicit": True},
    "outline": {"encoding": Encoding(meshopt=True, outline=True)},
    "1.0": {"encoding": Encoding("1.0")},
}


def places(city, rows):
    """Middle of the roofs of some buildings, where these are blocks without a hole."""
    found = []
    for row in rows:
        shape = city.footprints.polygons()[row]
        inside = shape.representative_point()
        z = 10.0 + city.buildings.height[row]
        lon, lat, height = PLACEMENT.to_geodetic(np.array([[inside.x, inside.y, z]]))[
            0
        ].tolist()
        found.append({"lon": lon, "lat": lat, "height": height})
    return found


@pytest.fixture
def viewer():
    """Serve a tileset, or a city, with the page."""
    if not is_built():
        missing("the page was not built: node and npm must be there when cimkit is installed")
    servers = []

    def start(folder):
        server = ViewServer(open_answers(folder))
        server.start()
        servers.append(server)
        return server.url

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("variant", VARIANTS)
def test_cesium_shows_and_picks(tmp_path, browse, node_modules, variant):
    city = boxes(400, pitch=40)
    write_tiles(tmp_path, city, tile_buildings=30, **VARIANTS[variant])
    rows = [0, 105, 395]
    with served(tiles=tmp_path, cesium=node_modules / "cesium" / "Build" / "Cesium") as url:
        result = browse("cesium", url, picks=places(city, rows))
    assert result["failures"] == []
    assert result["seen"]["foreign"] == []
    assert result["seen"]["statuses"] == {}
    assert result["loaded"] > 1
    for row, found in zip(rows, result["found"], strict=True):
        assert found["building_id"] == str(city.buildings.building_id[row])
        assert found["code"] == str(city.buildings.code[row])
        assert found.get("address", "") == str(city.address[row])
        assert found["height"] == pytest.approx(city.buildings.height[row], rel=1e-6)
        assert found["lod"] == "LoD1.2"


def from_above(place):
    """Steps that look down on a place and pick what is in the middle."""
    look = {**place, "range": 90, "heading": 0, "pitch": 88}
    middle = "const c = document.getElementById('scene');"
    return [
        {"code": f"cimkit.setView({look})"},
        {"code": f"{middle} return cimkit.pick(c.clientWidth / 2, c.clientHeight / 2)"},
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_viewer_shows_and_picks(tmp_path, browse, viewer, variant):
    city = boxes(400, pitch=40)
    write_tiles(tmp_path, city, tile_buildings=30, **VARIANTS[variant])
    rows = [0, 105, 395]
    steps = [step for place in places(city, rows) for step in from_above(place)]
    result = browse("viewer", viewer(tmp_path), steps=steps)
    assert result["failures"] == result["seen"]["errors"] == result["seen"]["foreign"] == []
    for row, found in zip(rows, result["steps"][1::2], strict=True):
        assert found["building_id"] == str(city.buildings.building_id[row])
        assert found["code"] == str(city.buildings.code[row])
        assert (found.get("address") or "") == str(city.address[row])


@pytest.fixture(scope="module")
def scanned_city(tmp_path_factory):
    """A city with ground and points."""
    folder = tmp_path_factory.mktemp("scanned")
    return build(folder / "city", {**small_inputs(folder / "in"), "point_tiles": True}).path


@pytest.mark.parametrize("layer", ["points", "terrain"])
def test_cesium_shows_the_other_layers(scanned_city, browse, node_modules, layer):
    tiles, cesium = scanned_city / "tiles" / layer, node_modules / "cesium" / "Build" / "Cesium"
    with served(tiles=tiles, cesium=cesium) as url:
        result = browse("cesium", url)
    assert result["failures"] == result["seen"]["foreign"] == []
    assert result["loaded"] > 0
    assert result["selected"] > 0


def test_points_are_loaded_when_they_are_switched_on(scanned_city, browse, viewer):
    steps = [
        {"code": "return Object.keys(cimkit.stats())"},
        {"code": "cimkit.app.ui.toggle('points', true); cimkit.setView('street')"},
        {"code": "return cimkit.stats().points.visible"},
    ]
    result = browse("viewer", viewer(scanned_city), steps=steps)
    assert result["failures"] == result["seen"]["errors"] == result["seen"]["foreign"] == []
    assert sorted(result["steps"][0]) == ["buildings", "terrain"]
    assert result["steps"][2] > 0


def test_names_stand_in_the_street(scanned_city, browse, viewer):
    names = "[...document.querySelectorAll('#labels span')].map((node) => node.textContent)"
    view = "cimkit.app.viewer.view().pitch, cimkit.app.source.city.street.eye[2]"
    steps = [
        {"code": "cimkit.setView('street'); await new Promise((r) => setTimeout(r, 600))"},
        {"code": f"return {names}"},
        {"code": f"return [{view}]"},
    ]
    result = browse("viewer", viewer(scanned_city), steps=steps)
    assert result["failures"] == result["seen"]["errors"] == []
    assert len(result["steps"][1]) > 0
    pitch, height = result["steps"][2]
    assert -10 < pitch < 0  # from low above the ground, a little upwards
    assert height < 100


def test_a_tile_that_is_lost_is_told(scanned_city, browse, viewer, tmp_path):
    city = shutil.copytree(scanned_city, tmp_path / "city")
    leaf = max((city / "tiles").glob("*.glb"), key=lambda path: path.stat().st_size)
    leaf.unlink()
    steps = [
        {"code": "cimkit.setView('quarter')"},
        {"code": "return document.querySelector('.message').textContent"},
    ]
    result = browse("viewer", viewer(city), steps=steps)
    assert len(result["failures"]) == 1
    assert leaf.name in result["failures"][0]
    assert "did not arrive" in result["steps"][1]
    assert result["seen"]["errors"] == []


def test_a_list_keeps_its_keys(scanned_city, browse, viewer):
    press = "dispatchEvent(new KeyboardEvent('keydown', {key: 'l', bubbles: true}))"
    steps = [
        {"code": f"{node}.{press}; return cimkit.app.ui.state.mode"}
        for node in ("document.querySelector('select')", "document.body")
    ]
    result = browse("viewer", viewer(scanned_city), steps=steps)
    assert result["steps"] == ["none", "height"]


CANVAS = "const c = document.getElementById('scene');"
SHOW = "await cimkit.app.choose(cimkit.pick(c.clientWidth / 2, c.clientHeight / 2));"
PANEL = "const panel = document.querySelector('.panel');"
OF_PANEL = (
    "return [panel.textContent, panel.querySelectorAll('*').length, "
    "document.querySelectorAll('script, img, iframe').length]"
)


def test_hostile_texts_stay_texts(tmp_path, browse, viewer):
    city = boxes(len(HOSTILE), pitch=60, ids=list(HOSTILE))
    city = city._replace(address=np.array(HOSTILE[::-1], TEXT))
    write_tiles(tmp_path, city)
    steps = []
    for place in places(city, range(len(HOSTILE))):
        steps += [from_above(place)[0], {"code": CANVAS + SHOW + PANEL + OF_PANEL}]
    result = browse("viewer", viewer(tmp_path), steps=steps)
    seen = result["seen"]
    assert seen["dialogs"] == seen["foreign"] == seen["errors"] == []
    counts = set()
    for row, (text, n_elements, n_active) in enumerate(result["steps"][1::2]):
        assert HOSTILE[row] in text
        assert HOSTILE[::-1][row] in text
        counts.add(n_elements)
        assert n_active == 1  # the script of the page
    assert len(counts) == 1


def test_a_city_with_search_colours_and_details(city_folder, browse, viewer):
    """The whole page on a small city: search, details, legend, language, measure."""
    search = "const [row] = await cimkit.app.source.search('B00');"
    color = "await cimkit.app.ui.setMode('link_state');"
    middle = "const [x, y] = [c.clientWidth / 2, c.clientHeight / 2];"
    two = "cimkit.app.click(x, y); cimkit.app.click(x + 40, y);"
    steps = [
        {"code": f"{search} await cimkit.app.goTo(row); return row"},
        {"code": f"{PANEL} return panel.textContent"},
        {"code": f"{color} await new Promise((r) => setTimeout(r, 900))"},
        {"code": "return document.querySelector('.legend').textContent"},
        {"code": "cimkit.app.ui.switchLanguage()"},
        {"code": "return document.querySelector('.tools').textContent"},
        {"code": f"{CANVAS} {middle} cimkit.app.setMeasure(true); {two}"},
        {"code": "return document.querySelector('.note').textContent"},
    ]
    result = browse("viewer", viewer(city_folder), steps=steps)
    assert result["failures"] == result["seen"]["errors"] == result["seen"]["foreign"] == []
    row, panel, _, legend, _, tools, _, note = result["steps"]
    assert row["building_id"] in panel
    assert "R1" in panel or "R4" in panel or "R3" in panel
    assert "linked" in legend
    assert "着色" in tools
    assert "直线" in note


def test_one_file_shows_itself(tmp_path, city_folder, browse):
    from cimkit.view.single import single_page

    if not is_built():
        missing("the page was not built: node and npm must be there when cimkit is installed")
    page = tmp_path / "city.html"
    page.write_bytes(single_page(open_answers(city_folder)))
    search = "const [row] = await cimkit.app.source.search('B0003');"
    steps = [
        {"code": f"{search} await cimkit.app.goTo(row); return row"},
        {"code": f"{PANEL} return panel.textContent"},
    ]
    result = browse("viewer", page.as_uri(), steps=steps)
    assert result["failures"] == result["seen"]["errors"] == result["seen"]["foreign"] == []
    assert result["steps"][0]["building_id"] == "B0003"
    assert "B0003" in result["steps"][1]
