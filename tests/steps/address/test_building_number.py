"""Building numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.steps.address.building_number import (
    building_number,
    compare_numbers,
    label_number,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("锦绣苑3幢", "3"),
        ("锦绣苑03栋", "3"),
        ("3号楼", "3"),
        ("３号楼", "3"),
        ("3#楼2单元", "3"),
        ("3#", "3"),
        ("三栋", "3"),
        ("十栋", "10"),
        ("十二幢", "12"),
        ("二十三号楼", "23"),
        ("一百零八幢", "108"),
        ("一二幢", "12"),
        ("第五栋", "5"),
        ("B座", "B"),
        ("ｂ座1201室", "B"),
        ("A1栋", "A1"),
        ("12B幢", "12B"),
        ("甲幢", "甲"),
        ("3号楼B座", "3-B"),
        ("3栋3栋", "3"),
        ("示范市云泽区滨河街道向阳路12号锦绣苑3幢2单元5层501室", "3"),
        ("向阳路12号5号楼", "5"),
        ("A区7栋", "7"),
        ("10 幢", "10"),
        ("向阳路12号", ""),
        ("向阳路12号附1号", ""),
        ("2单元3楼301室", ""),
        ("锦绣苑1-10幢", ""),
        ("锦绣苑1幢-10幢", ""),
        ("锦绣苑一至六栋", ""),
        ("银座商场", ""),
        ("", ""),
    ],
)
def test_building_number(text: str, number: str):
    assert building_number(text) == number


@pytest.mark.parametrize(
    ("label", "number"),
    [
        ("3", "3"),
        ("003", "3"),
        ("三", "3"),
        ("b", "B"),
        ("3号", "3"),
        ("云泽苑12幢", "12"),
        ("云泽苑", ""),
        ("示范小学教学楼", ""),
        ("", ""),
    ],
)
def test_label_number(label: str, number: str):
    assert label_number(label) == number


@given(st.integers(1, 999), st.sampled_from(["幢", "栋", "号楼", "座", "#楼"]))
def test_figures_and_chinese_numerals_are_the_same(number: int, word: str):
    digits = "零一二三四五六七八九"
    hundreds, tens, ones = number // 100, number // 10 % 10, number % 10
    text = f"{digits[hundreds]}百" if hundreds else ""
    if tens:
        text += f"{digits[tens]}十" if text or tens > 1 else "十"
    elif hundreds and ones:
        text += "零"
    text += digits[ones] if ones else ""
    assert building_number(f"锦绣苑{text}{word}") == str(number)
    assert building_number(f"锦绣苑{number}{word}5单元") == str(number)
    assert building_number(f"锦绣苑{number:04d}{word}") == str(number)


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("3", "3", 1),
        ("3", "4", -1),
        ("3-B", "B", 1),
        ("3-B", "3-A", -1),
        ("", "3", 0),
        ("3", "", 0),
        ("", "", 0),
    ],
)
def test_comparison_is_symmetric(one: str, other: str, verdict: int):
    assert compare_numbers(one, other) == compare_numbers(other, one) == verdict


@given(st.text(max_size=40))
def test_any_text_is_read(text: str):
    assert building_number(text) == building_number(text)
    label_number(text)
