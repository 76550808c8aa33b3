"""report.html: safe with hostile text, honest about its sums, the same bytes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely

from cimkit.tables import Addresses, Buildings, Footprints, Issue, Links, Models
from cimkit.tables.reportfacts import Balance, InputFile, ReportFacts
from cimkit.write.report import EXAMPLES_MAX, report_html

make_models: Any = Models
make_addresses: Any = Addresses
make_buildings: Any = Buildings
make_links: Any = Links
"""Tables turn lists into arrays; their annotations name what they hold."""

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</style></title></svg><b>",
    "]]>",
    "\"' onload='alert(1)' &amp; &#60;",
    "javascript:alert(1)",
    "line\nbreak\r\ttab",
    "\x1b[31mred\x00",
    "\u202egnp.exe\u2066",
    "\ud800",
)
TAME = "plain"


class Tags(HTMLParser):
    """Start tags and their attributes, as a browser would find them."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def city(word: str = TAME, **changes) -> bytes:
    """A report with `word` in every text field."""
    names = [f"{word}0", f"{word}1", f"{word}2"]
    if "\ud800" in word:  # no table can hold a lone surrogate; facts and issues can
        names = ["a", "b", "c"]
        texts = np.array(["x"] * 3)
    else:
        texts = np.array([word] * 3, dtype=np.dtypes.StringDType())
    shapes = [shapely.box(20 * i, 0, 20 * i + 12, 9) for i in range(3)]
    footprints = Footprints.from_polygons(names, shapes)
    number = np.array([3.0, 6.0, 30.0])
    buildings = make_buildings(
        names,
        texts,
        number,
        texts,
        *[number] * 4,
        number,
        texts,
        texts,
        texts,
        texts,
        [0, 1, 2],
        number,
    )
    addresses = make_addresses(names, texts, [5.0, 25.0, np.nan], [5.0, 5.0, np.nan])
    links = make_links(
        names[:2],
        names[:2],
        texts[:2],
        [1.0, 0.5],
        [0.0, 0.0],
        [True] * 2,
        [1, 1],
        [True] * 2,
        names[2:],
        texts[:1],
    )
    facts = ReportFacts(
        word,
        (InputFile(word, word, 1234567, "ab" * 32, {word: 3}),),
        (Balance(word, 3, {word: 3}),),
        {word: {word: 7}},
        {word: word},
        {word: word},
    )
    issues = [
        Issue("ERROR", word, "footprints", names[0], word),
        Issue("INFO", word, word, "", word),
    ]
    parts: dict[str, Any] = {
        "facts": facts,
        "footprints": footprints,
        "buildings": buildings,
        "addresses": addresses,
        "links": links,
        "models": triangle_prisms(names),
        "issues": issues,
    } | changes
    return report_html(**parts)


def triangle_prisms(names: list[str]) -> Any:
    """Three closed wedges."""
    ring = [0, 2, 1, 3, 4, 5, 0, 1, 4, 3, 1, 2, 5, 4, 2, 0, 3, 5]
    corner = np.array(
        [[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 8], [9, 0, 8], [0, 9, 8]], dtype=float
    )
    one = np.array([0, 3, 6, 10, 14, 18])
    return make_models(
        names,
        "1.2",
        np.vstack([corner + np.array([30.0 * i, 0, 0]) for i in range(3)]),
        [0, 6, 12, 18],
        np.concatenate([np.array(ring) + 6 * i for i in range(3)]),
        np.concatenate([[0], *(one[1:] + 18 * i for i in range(3))]),
        np.arange(16),
        [0, 5, 10, 15],
        [0, 2, 1, 1, 1] * 3,
    )


@pytest.mark.parametrize("word", HOSTILE, ids=[ascii(word) for word in HOSTILE])
def test_hostile_text_stays_text(word):
    tame, page = Tags(city()).found, Tags(city(word)).found
    assert [tag for tag, _ in page] == [tag for tag, _ in tame]
    assert [sorted(kept) for _, kept in page] == [sorted(kept) for _, kept in tame]
    root = ElementTree.fromstring(city(word).decode())
    assert len(list(root.iter())) == len(list(ElementTree.fromstring(city().decode()).iter()))


@pytest.mark.parametrize("word", HOSTILE, ids=[ascii(word) for word in HOSTILE])
def test_nothing_runs_and_nothing_is_fetched(word):
    page = city(word)
    for tag, attributes in Tags(page).found:
        assert tag not in {"script", "iframe", "object", "embed", "link", "img", "base", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in {"href", "src", "srcset", "action", "xlink:href"}
            assert name == "xmlns" or "//" not in (value or "")
    assert set(re.findall(rb"https?://[^\"' ]*", page)) == {b"http://www.w3.org/2000/svg"}
    policy = [kept.get("content") for _, kept in Tags(page).found if "http-equiv" in kept]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert b"@import" not in page
    assert set(re.findall(rb"url\(([^)]*)\)", page)) == {b"#paper", b"#soft"}


def test_invisible_characters_are_spelled_out():
    page = city("a\x1b[31m\u202eb\nc").decode()
    assert "a\\x1b[31m\\u202eb\\nc" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page)


def test_a_huge_attribute_is_cut():
    issue = Issue("ERROR", "LONG", "footprints", "x" * 100_000, "y" * 1_000_000)
    page = city(issues=[issue])
    assert len(page) < len(city()) + 5_000
    assert b"1,000,000 characters" in page


def test_a_balance_that_adds_up_has_a_tick():
    good = Balance("footprints", 13, {"accepted": 12, "no area": 1})
    assert good.adds_up
    page = city(facts=ReportFacts("t", balances=(good,))).decode()
    assert '<td class="right">✓</td>' in page
    assert 'class="wrong"' not in page
    assert "counts add up" in page


def test_a_balance_that_does_not_add_up_is_red():
    bad = Balance("points", 100, {"roof": 90, "noise": 5})
    assert not bad.adds_up
    assert bad.total == 95
    page = city(facts=ReportFacts("t", balances=(bad,))).decode()
    assert '<tr class="wrong">' in page
    assert "✗ +5 missing" in page
    assert "1 balances off" in page


def test_issues_are_grouped_grave_ones_first_and_open():
    issues = [Issue("WARNING", "B_WARN", "buildings", f"b{i:03}", f"m{i}") for i in range(50)]
    issues += [
        Issue("ERROR", "Z_ERROR", "city", "", "broken"),
        Issue("INFO", "A_INFO", "city", "", "i"),
    ]
    page = city(issues=issues).decode()
    groups = re.findall(
        r'<details( open="open")?><summary><b class="(\w+)">\w+</b> <code>(\w+)', page
    )
    assert [(bool(is_open), severity, code) for is_open, severity, code in groups] == [
        (True, "ERROR", "Z_ERROR"),
        (False, "WARNING", "B_WARN"),
        (False, "INFO", "A_INFO"),
    ]
    assert "× 50" in page
    assert page.count("<td>m") == EXAMPLES_MAX
    assert "and 30 more in city.gpkg" in page
    assert city(issues=issues[::-1]).decode() == page


def test_the_plan_of_issues_shows_the_gravest_of_each_building():
    issues = [
        Issue("INFO", "X", "buildings", "plain0", ""),
        Issue("ERROR", "Y", "footprints", "plain0", ""),
        Issue("WARNING", "Z", "buildings", "plain1", ""),
        Issue("ERROR", "A", "addresses", "plain2", "an address of the same name"),
    ]
    page = city(issues=issues).decode()
    for label in ("ERROR (1)", "WARNING (1)", "none 无 (1)"):
        assert f">{label}<" in page
    assert "Gravest issue" not in city(issues=issues[3:]).decode()


def test_figures_of_the_tables_are_shown():
    page = city().decode()
    assert "<b>3</b><span>buildings" in page
    assert "<b>2</b><span>of 3 addresses linked" in page
    assert "1,234,567" in page
    assert "abababababab<" in page
    assert "abababababababab" not in page


def test_the_same_city_gives_the_same_bytes_whole_and_bare():
    assert city() == city()
    bare = city(addresses=None, links=None, models=None, issues=[], facts=ReportFacts("t"))
    assert bare == city(
        addresses=None, links=None, models=None, issues=[], facts=ReportFacts("t")
    )
    assert ElementTree.fromstring(bare.decode()).tag == "html"
    assert b"url(#" not in bare
