from __future__ import annotations

import pytest

from cimkit.view.search import Finder, Hit

BUILDINGS = [
    (1, "B-10", "421002001000000000017"),
    (2, "B-1", "421002001000000000025"),
    (3, "b-2", ""),
]
ADDRESSES = [
    (7, "北京路19号1幢", 1),
    (8, "北京路１９号2幢", 2),
    (8, "北京路１９号2幢", 3),
    (9, "Straße 4", None),
    (10, "", 3),
]


def find(text, limit=10):
    return Finder(BUILDINGS, ADDRESSES).find(text, limit)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("421002001000000000025", [Hit(2, None)]),
        ("４２１００２００１", [Hit(1, None), Hit(2, None)]),  # full-width; by code
        ("B-1", [Hit(2, None), Hit(1, None)]),  # the very identifier before others
        ("B-2", [Hit(3, None)]),
        ("北京路19号", [Hit(1, 7), Hit(2, 8), Hit(3, 8)]),
        ("2幢 北京路", [Hit(2, 8), Hit(3, 8)]),
        ("strasse", [Hit(None, 9)]),
        ("21002001", []),  # codes are found from their beginning
        ("", []),
        (" \x00\u200b ", []),
        ("%", []),
        ("_", []),
    ],
)
def test_what_is_found(text, hits):
    assert find(text) == hits


def test_no_more_than_asked_for():
    assert find("北京路", 2) == [Hit(1, 7), Hit(2, 8)]
    assert find("B", 1) == [Hit(3, None)]  # no code goes before codes


def test_the_order_of_rows_does_not_matter():
    other = Finder(BUILDINGS[::-1], ADDRESSES[::-1])
    for text in ("B", "北京路", "4"):
        assert other.find(text, 10) == find(text)
