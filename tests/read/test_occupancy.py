"""Tables of counts, and what has no place in them."""

from __future__ import annotations

import pytest

from cimkit.errors import InputError
from cimkit.read.addresses import read_addresses
from cimkit.read.occupancy import read_occupancy
from cimkit.read.privacy import pseudonyms

IDENTITY = "360426199101010071"
"""The published test number of python-stdnum; its check holds."""


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return str(path)


def counts(occupancy):
    columns = [
        occupancy.address_id.tolist(),
        *(c.tolist() for c in occupancy.columns().values()),
    ]
    return dict(zip(columns[0], zip(*columns[1:], strict=True), strict=True))


def test_counts_by_address_in_gbk(tmp_path):
    path = write(
        tmp_path / "户数.csv",
        "地址编码,户室数,实有户数,实有人口\nA1,12,11,33\nA2,1,,4\nA1,2,2,5\n",
        "gb18030",
    )
    occupancy, rows, issues = read_occupancy(path)
    assert counts(occupancy) == {"A1": (14, 13, 38, -1), "A2": (1, -1, 4, -1)}
    assert rows == {path: 3}
    assert [i.code for i in issues if i.severity == "WARNING"] == []


def test_a_row_for_each_person(tmp_path):
    path = write(tmp_path / "people.csv", "地址编码,性别\nA1,男\nA1,女\nA2,女\n")
    occupancy, _, _ = read_occupancy(path)
    assert counts(occupancy) == {"A1": (-1, -1, 2, -1), "A2": (-1, -1, 1, -1)}


def test_what_is_no_count_is_listed(tmp_path):
    path = write(tmp_path / "a.csv", "地址编码,实有人口\nA1,三\nA2,-4\nA3,2.5\n,7\nA4,0\n")
    occupancy, _, issues = read_occupancy(path)
    assert counts(occupancy) == {"A4": (-1, -1, 0, -1)}
    assert [i.id for i in issues if i.code == "OCCUPANCY_UNUSABLE"] == ["A1", "A2", "A3", ""]


@pytest.mark.parametrize("column", ["身份证号", "备注"])
def test_identity_numbers_are_refused_wherever_they_stand(tmp_path, column):
    path = write(tmp_path / "a.csv", f"地址编码,实有人口,{column}\nA1,3,{IDENTITY}\nA2,4,\n")
    with pytest.raises(InputError, match=f"column {column} holds identity-card") as caught:
        read_occupancy(path)
    assert IDENTITY not in f"{caught.value} {caught.value.hint}"
    assert "CIMKIT_PSEUDONYM_KEY" in str(caught.value.hint)


@pytest.mark.parametrize("number", ["13800138000", "+86 138 0013 8000", "027-87654321"])
def test_telephone_numbers_are_refused(tmp_path, number):
    path = write(tmp_path / "a.csv", f"地址编码,实有人口,联系\nA1,3,{number}\nA2,4,{number}\n")
    with pytest.raises(InputError, match="column 联系 holds telephone numbers") as caught:
        read_occupancy(path)
    assert number not in str(caught.value)
    with pytest.raises(InputError, match="telephone"):
        read_occupancy("", path)


def test_with_a_key_persons_are_counted_once_and_nothing_of_them_stays(tmp_path):
    other = "11010519491231002X"
    text = f"地址编码,证件\nA1,{IDENTITY}\nA1,{IDENTITY}\nA1,{other.lower()}\nA1,{other}\n"
    path = write(tmp_path / "a.csv", text)
    occupancy, _, issues = read_occupancy(path, key="geheim")
    assert counts(occupancy) == {"A1": (-1, -1, 2, -1)}
    assert IDENTITY not in f"{occupancy!r}{occupancy.address_id}{issues}"


def test_pseudonyms_depend_on_the_key():
    assert pseudonyms([IDENTITY], "a") != pseudonyms([IDENTITY], "b")


def test_organisations_are_counted_and_their_codes_checked(tmp_path):
    text = (
        "统一社会信用代码,单位名称,地址编码\n91110000600037341L,甲,A1\n91110000600037341L,甲,A1\n"
        "91110000600037341L,甲,A2\n91110000600037341M,乙,A1\n,丙,A3\n"
    )
    occupancy, _, issues = read_occupancy("", write(tmp_path / "o.csv", text))
    assert counts(occupancy) == {
        n: (-1, -1, -1, k) for n, k in (("A1", 2), ("A2", 1), ("A3", 1))
    }
    found = [(i.code, i.id) for i in issues if i.severity == "WARNING"]
    assert ("ORGANISATION_TWICE", "A1") in found
    assert ("CREDIT_CODE_INVALID", "A1") in found


def test_a_table_without_addresses_is_refused(tmp_path):
    with pytest.raises(InputError, match="no column for the address"):
        read_occupancy(write(tmp_path / "a.csv", "实有人口\n3\n"))


def test_the_list_of_addresses_refuses_them_too(tmp_path):
    path = write(tmp_path / "a.csv", f"id,address,房号\n1,甲,{IDENTITY}\n2,乙,{IDENTITY}\n")
    with pytest.raises(InputError, match="identity-card"):
        read_addresses(path, crs="EPSG:4546")
