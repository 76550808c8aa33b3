from __future__ import annotations

import base64
import json
from html.parser import HTMLParser

import pytest

from cimkit.errors import LimitError, ParameterError
from cimkit.tables._columns import TEXT
from cimkit.view.answers import TilesetAnswers, open_answers
from cimkit.view.single import _safe_json, single_page
from tests.extruded import boxes, write_tiles
from tests.view.conftest import HOSTILE


class Elements(HTMLParser):
    """Counts elements, and keeps what the data element holds."""

    def __init__(self, page):
        super().__init__()
        self.counts: dict[str, int] = {}
        self.data, self._in_data = "", False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self._in_data = ("id", "cimkit-data") in attrs

    def handle_endtag(self, tag):
        self._in_data = False

    def handle_data(self, data):
        if self._in_data:
            self.data += data


def test_a_city_in_one_file(city_folder, dist):
    page = single_page(open_answers(city_folder), dist)
    found = Elements(page.decode())
    assert found.counts["script"] == 2
    assert "link" not in found.counts
    held = json.loads(found.data)
    tileset = base64.b64decode(held["files"]["data/tiles/tileset.json"])
    assert tileset == (city_folder / "tiles" / "tileset.json").read_bytes()
    assert len(held["buildings"]) == held["city"]["counts"]["buildings"] == 30
    assert {row["building_id"] for row in held["index"]} == set(held["buildings"])
    assert b"default-src 'none'" in page
    assert single_page(open_answers(city_folder), dist) == page


def test_hostile_texts_add_no_element(tmp_path, dist):
    """Sound names, then hostile ones: the page has the same elements."""
    counts = []
    for number, ids in enumerate((["a", "b", "c", "d"], HOSTILE)):
        folder = tmp_path / f"tiles{number}"
        folder.mkdir()
        city = boxes(4, ids=list(ids))
        write_tiles(folder, city._replace(address=ids_as_texts(ids)))
        (folder / "manifest.json").write_text(json.dumps({"counts": {"buildings": 4}}))
        counts.append(Elements(single_page(open_answers(folder), dist).decode()).counts)
    assert counts[0] == counts[1]


def ids_as_texts(ids):
    import numpy as np

    return np.array(list(ids), dtype=TEXT)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_that_cannot_end_its_element(text):
    written = _safe_json({text: text})
    assert json.loads(written) == {text: text}
    assert not set("<>&\u2028\u2029") & set(written)


def test_a_city_that_is_too_large_is_served_instead(tmp_path, dist, monkeypatch):
    write_tiles(tmp_path, boxes(4))
    monkeypatch.setattr("cimkit.view.single.SINGLE_PAGE_BYTES_MAX", 100)
    with pytest.raises(LimitError, match="Serve the city instead"):
        single_page(TilesetAnswers(tmp_path), dist)


def test_a_page_of_another_version_is_refused(city_folder, dist):
    index = dist / "index.html"
    index.write_text(index.read_text().replace('href="viewer.css"', 'href="old.css"'))
    with pytest.raises(ParameterError, match="npm run build"):
        single_page(open_answers(city_folder), dist)
