"""Addresses in the usual order are read, whatever else stands in a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.steps.address.grammar import address_keys, read_texts
from cimkit.tables import Addresses
from cimkit.tables.elements import Elements


def keys(text, **columns):
    parts = Elements.of(1, **{name: [value] for name, value in columns.items()})
    found = address_keys(Addresses(["1"], [text], [0.0], [0.0], elements=parts))
    return tuple(column.tolist()[0] for column in found)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (
            "湖北省荆州市沙市区云溪街道向阳路1号锦绣苑1幢",
            ("向阳路", 1, 0, 0, "锦绣苑", "1", False),
        ),
        ("沙市区云溪街道向阳路１号锦绣苑一栋203", ("向阳路", 1, 0, 0, "锦绣苑", "1", True)),
        (
            "澜影街道橘香2路103号听涛苑44期4幢 1 单元",
            ("橘香2路", 103, 0, 0, "听涛苑44期", "4", True),
        ),
        ("鸥坊2巷十一号附1号", ("鸥坊2巷", 11, 0, 1, "", "", False)),
        ("中山大道88号", ("中山大道", 88, 0, 0, "", "", False)),
        ("中山街12A号", ("中山街", 12, 1, 0, "", "", False)),
        ("向阳路1号楼", ("向阳路", -1, 0, 0, "", "1", False)),
        ("锦绣小区3幢2单元", ("", -1, 0, 0, "锦绣小区", "3", True)),
        ("云溪广场1号楼B座", ("", -1, 0, 0, "云溪广场", "1-B", False)),
        ("41-43", ("", 41, 0, 0, "", "", False)),
        ("", ("", -1, 0, 0, "", "", False)),
    ],
)
def test_texts(text, read):
    assert keys(text) == read


def test_columns_go_before_the_text():
    said = {
        "street": "望江路",
        "number": "7号",
        "estate": "云栖苑",
        "building": "2幢",
        "room": "301",
    }
    assert keys("向阳路1号锦绣苑1幢", **said) == ("望江路", 7, 0, 0, "云栖苑", "2", True)
    assert keys("某处", street="望江路", number="7") == ("望江路", 7, 0, 0, "", "", False)
    assert keys("某处", estate="小学", building="教学楼")[4] == "小学教学楼"


LINE = st.text(
    st.sampled_from("向阳路街道1２三号幢栋楼单元室附AＢ-之 \t\n\r\u2028\x1c\x85ßŉ"), max_size=14
)


@given(st.lists(LINE, max_size=6))
def test_each_text_is_read_as_if_it_were_alone(texts):
    together = list(zip(*read_texts(texts), strict=True)) if texts else []
    assert together == [tuple(part[0] for part in read_texts([text])) for text in texts]
