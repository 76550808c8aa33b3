"""Schemes that are data: against a plain reading of the same file, one code at a time."""

from __future__ import annotations

import re
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimkit.codes import layout as layouts
from cimkit.codes.modulus import check_characters
from cimkit.codes.schemes import LAYOUTS, SCHEMES, layout, scheme
from cimkit.errors import FormatError, InputError, ParameterError
from cimkit.read.schemes import find_scheme

SHENZHEN = "4403050070050100001"
OURS = """
about = "building code of our city"
source = "order 12"
verified = true
check = "mod_37_36"
segments = [
    { name = "county", length = 6 },
    { name = "use", length = 1, symbols = "RCI" },
    { name = "serial", length = 5, least = 1 },
    { name = "part", length = 2, optional = true },
]
"""


@pytest.fixture
def ours(tmp_path):
    file = tmp_path / "ours.toml"
    file.write_text(OURS, encoding="utf-8")
    return str(file)


def fits(name: str, code: str) -> bool:
    """By a regular expression made of the file."""
    values = tomllib.loads(LAYOUTS[name])
    if "pattern" in values:
        return re.fullmatch(values["pattern"], code) is not None
    fixed, tail = "", ""
    for part in values["segments"]:
        text = f"[{re.escape(part.get('symbols', '0123456789'))}]{{{part['length']}}}"
        fixed, tail = (fixed, tail + text) if part.get("optional") else (fixed + text, tail)
    return re.fullmatch(f"{fixed}({tail})?", code) is not None


@st.composite
def codes(draw, name):
    """Codes of a layout, some with a wrong character or length."""
    rule = layout(name)
    stop = draw(st.sampled_from([rule.short, rule.length]))
    text = "".join(
        draw(st.text(s.symbols, min_size=s.length, max_size=s.length))
        for s in rule.segments
        if s.stop <= stop
    )
    if draw(st.booleans()):
        k = draw(st.integers(0, len(text)))
        text = text[:k] + draw(st.sampled_from(["", "x", "*", "9", "中"])) + text[k + 1 :]
    return text


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "opaque"])
def test_codes_are_valid_where_a_regular_expression_says(name):
    @settings(max_examples=150, deadline=None)
    @given(st.lists(codes(name), max_size=5))
    def run(texts):
        found = layouts.valid_all(layout(name), texts).tolist()
        assert found == [fits(name, text) for text in texts]
        assert found == [not layouts.validate(layout(name), text) for text in texts]

    run()


@given(st.text(max_size=70))
def test_an_opaque_code_is_any_text_without_blanks(text):
    rule = scheme("opaque")
    bare = text.strip().translate({c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F)} | {0x3000: 32})
    assert (not rule.validate(text)) == fits("opaque", bare)
    if "\0" not in text:
        assert rule.valid_all([text]).tolist() == [not rule.validate(text)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*(st.integers(0, 10**k - 1) for k in (2, 3, 5, 6))), min_size=1))
def test_what_is_minted_is_parsed_again(rows):
    rule = scheme("sz25")
    city, street, building, room = np.array(rows).T
    same = {"province": "44", "district": "05", "community": 5, "grid": "01"}
    made = rule.mint(city=city, street=street, building=building, room=room, **same)
    assert made.tolist() == [f"44{c:02d}05{s:03d}00501{b:05d}{r:06d}" for c, s, b, r in rows]
    parts = layouts.parse(layout("sz25"), made)
    assert parts["room"].tolist() == [f"{row[3]:06d}" for row in rows]
    assert "".join(str(part[0]) for part in parts.values()) == made[0]


def test_a_building_without_its_room():
    parts = scheme("sz25").parse(SHENZHEN)
    assert len(parts) == 7
    assert (parts["building"], parts["grid"]) == ("00001", "01")
    assert scheme("sz25").parse(f"{SHENZHEN}000101")["room"] == "000101"


def test_a_scheme_of_ones_own_is_one_file(ours):
    rule = find_scheme(ours)
    assert rule.is_verified
    body = ["421002R00012", "421002C00013"]
    (first, second) = rule.mint(county="421002", use=["R", "C"], serial=[12, 13])
    checks = check_characters("mod_37_36", body)
    assert [first, second] == [b + c for b, c in zip(body, checks, strict=True)]
    assert rule.check(body).tolist() == checks.tolist()
    assert rule.parse(first)["serial"] == "00012"
    assert rule.validate(first[:-1] + "?")
    assert rule.validate("421002R00000" + str(rule.check(["421002R00000"])[0])) == [
        "serial 00000 is below 1"
    ]
    assert rule.validate("421002X00012A")[0].startswith("position 7 is 'X', not of RCI (use)")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("segments = 3", "segments: list expected"),
        ("", "either segments or a pattern"),
        ('pattern = "("', "pattern: "),
        ('pattern = "a"\nsegment = 1', "no key 'segment'"),
        ('pattern = "a"\nverified = "yes"', "verified: bool expected"),
        ('segments = [{ name = "a", length = 0 }]', "at least 1, not 0"),
        ('segments = [{ name = "a", length = true }]', "length: int expected"),
        ('segments = [{ name = "a b", length = 1 }]', "letters, digits and _"),
        ('segments = [{ name = "a", length = 65 }]', "1 to 64 characters, not 65"),
        ('segments = [{ name = "a", length = 1, symbols = "aa" }]', "each once"),
        ('segments = [{ name = "a", length = 1, symbols = "ab", least = 1 }]', "digits only"),
        ('segments = [{ name = "a", length = 1 }, { name = "a", length = 1 }]', "comes twice"),
        ('segments = [{ name = "a", length = 1 }]\ncheck = "luhn"', "check: one of"),
        (
            'segments = [{ name = "a", length = 1, optional = true }, '
            '{ name = "b", length = 1 }]',
            "after one that is optional",
        ),
        ("segments = [1]", "number 1 is no table"),
        ("a = ", "no TOML"),
        ("x = 1\n" * 30_000, "no layout"),
    ],
)
def test_a_layout_that_is_none(tmp_path, text, words):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(FormatError, match=re.escape(words)):
        find_scheme(str(file))
    with pytest.raises(InputError, match="does not exist"):
        find_scheme(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"county": "421002", "use": "R"}, "needs serial"),
        ({"county": "421002", "use": "R", "serial": 1, "floor": 2}, "has no segment floor"),
        ({"county": 421002, "use": "R", "serial": 100_000}, "5 digits, not 100,000"),
        ({"county": 421002, "use": "R", "serial": [1, 2, 0]}, "row 2: serial 00000 is below"),
        ({"county": ["1", "2"], "use": "R", "serial": 1}, "row 0: 6 characters, not '1'"),
        ({"county": [1, 2], "use": "R", "serial": [1, 2, 3]}, "county: 2 rows for 3"),
    ],
)
def test_wrong_parts_are_named(ours, parts, words):
    with pytest.raises(ParameterError, match=re.escape(words)):
        find_scheme(ours).mint(**parts)


@pytest.mark.parametrize("name", ["bdc28", "jgj246", "opaque"])
def test_codes_of_others_are_never_minted(name):
    with pytest.raises(ParameterError, match="is given out by"):
        scheme(name).mint(code="1")


def test_layouts_that_were_not_read_say_so():
    unread = {name for name in LAYOUTS if not scheme(name).is_verified}
    assert unread == {"bdc28", "jgj246", "sz25"}
    assert all(scheme(name).source for name in [*LAYOUTS, *SCHEMES])


@pytest.mark.parametrize("code", ["4.40305E+18", "4403050070050100001.0", "403050070050100001"])
def test_what_a_spreadsheet_did_is_named(code):
    assert "spreadsheet" in scheme("sz25").validate(code)[0]
    assert "spreadsheet" in scheme("uic21").validate(code)[0]


def test_doubled_codes():
    assert layouts.duplicates(["b ", "a", "ｂ", "a"]).tolist() == ["a", "b"]
