"""``cimkit code``: what people and scripts see of codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cimkit.codes.schemes import SCHEMES

CODE = "421002990100001000123"
PLACE = ("--lon", 112.2553, "--lat", 30.3159)
VALID = {
    "uic21": CODE,
    "bdgrid": "N49H843084E14427",
    "bdgrid32": "N036J0093000780B3010010520430140",
    "uscc": "91110000600037341L",
    "gb32100": "91110000600037341L",
    "gb11714": "600037341",
    "mod_11_2": "079X",
    "mod_11_10": "794623",
    "mod_37_2": "G123489654321Y",
    "mod_37_36": "A12425GABC1234002M",
    "mod_97_10": "435411161155111431",
}


def test_segments_of_a_building_code(run) -> None:
    said = run("code", "parse", "uic21", f"{CODE}-65")
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == [f"{CODE}-65"]
    assert lines[1:] == [
        ["county", "421002"],
        ["class", "code", "990100"],
        ["township", "001"],
        ["serial", "123"],
        ["check", "65"],
    ]


def test_segments_of_a_3d_code_as_json(run) -> None:
    code = "N050J0047050390B8020556344611524"
    (found,) = json.loads(run("code", "parse", "bdgrid32", code, "--json").out)
    assert (found["place_code"], found["height_code"]) == (
        "N50J47539B8255346152",
        "000000006414",
    )
    assert found["height_from"] <= 50.0 < found["height_below"]
    assert found["level 10"] == "524"


def test_reference_codes_are_read(run) -> None:
    (found,) = json.loads(run("code", "parse", "bdgrid", "N50J475491E-20", "--json").out)
    assert found["reference_to"] == "N50J475493E"


def test_organisation_check_inside_a_credit_code(run) -> None:
    (found,) = json.loads(run("code", "parse", "uscc", VALID["uscc"], "--json").out)
    assert found["region"] == "110000"
    assert found["organisation_check"] == "agrees"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_parses_and_validates(run, scheme: str) -> None:
    code = VALID[scheme]
    assert run("code", "parse", scheme, code).code == 0
    assert run("code", "validate", scheme, code, code).out == f"{scheme}: 2 valid, 0 invalid\n"
    said = run("code", "validate", scheme, code, code[:-1] + "?")
    assert said.code == 1
    first, last = said.out.splitlines()
    assert first.startswith(f"{code[:-1]}?: ")
    assert last == f"{scheme}: 1 valid, 1 invalid"
    assert run("code", "parse", scheme, code + "?").code == 2


def test_lines_of_stdin(run, monkeypatch) -> None:
    lines = f"{CODE}\n\n4210O2990100001000123\n{CODE}-56\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    said = run("code", "validate", "uic21")
    assert said.code == 1
    assert said.out.splitlines() == [
        "line 3: 4210O2990100001000123: position 5 is 'O', not a digit",
        f"line 4: {CODE}-56: check digits are 56, not 65",
        "uic21: 1 valid, 2 invalid, 1 blank",
    ]


def test_column_of_a_file(run, tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    file.write_text(f"楼,编码\na,{CODE}\nb,\nc,{CODE}4\n", encoding="gb18030")
    said = run("code", "validate", "uic21", "--file", file, "--column", "编码", "--json")
    assert said.code == 1
    assert json.loads(said.out) == {
        "scheme": "uic21",
        "valid": 1,
        "blank": 1,
        "invalid": [
            {
                "place": "row 3",
                "code": f"{CODE}4",
                "faults": ["21 digits expected, not 22"],
            }
        ],
    }
    said = run("code", "validate", "uic21", "--file", file, "--column", "编号")
    assert said.code == 3
    assert "Columns: 楼, 编码." in said.err


def test_many_invalid_codes_are_cut_short(run, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("N50J48\n" * 30 + "N50J47\n"))
    said = run("code", "validate", "bdgrid")
    lines = said.out.splitlines()
    assert len(lines) == 22
    assert lines[-2:] == ["10 more: see --json", "bdgrid: 1 valid, 30 invalid"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("uic21", "--county", "421002", "--township", "001", "--serial", 123), CODE),
        (
            ("uic21", "--county", 421002, "--township", "001", "--serial", 123, "--with-check"),
            f"{CODE}-65",
        ),
        (("bdgrid", *PLACE, "--level", 8), "N49H843084E14427"),
        (("bdgrid", "--lon", -116.3126, "--lat", -39.99, "--level", 1), "S11J"),
        (("bdgrid32", *PLACE, "--height", -100, "--level", 2), "N149H00840"),
    ],
)
def test_minted(run, arguments, code: str) -> None:
    assert run("code", "mint", *arguments).out == f"{code}\n"
    assert json.loads(run("code", "mint", *arguments, "--json").out)["code"] == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mint", "uscc"), "uscc is given out by the registration authority, not here"),
        (("mint", "bdc28"), "bdc28 is given out by the land registry"),
        (("mint", "sz25", "--part", "city"), "NAME=TEXT"),
        (("mint", "sz25", "--part", "city=03"), "sz25 needs province, district"),
        (("mint", "uic21", "--county", "421002"), "needs --township, --serial"),
        (("mint", "bdgrid32", *PLACE), "needs --height"),
        (("mint", "bdgrid", "--lon", "112", "--lat", "89"), "polar caps"),
        (("mint", "uic21", "--county", "1", "--township", "001", "--serial", 1), "county"),
        (("parse", "luhn", "1"), "scheme: one of uic21, bdgrid"),
        (("validate", "luhn", "1"), "scheme: one of"),
        (("validate", "uic21", "1", "--file", "a.csv", "--column", "b"), "not both"),
        (("validate", "uic21", "--column", "b"), "belong together"),
    ],
)
def test_wrong_usage_is_2(run, arguments, words: str) -> None:
    said = run("code", *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert "fault of cimkit" not in said.err
