"""``cimkit code``: parse, validate and mint codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cimkit.cli.terminal import complain, explained, plain, print_json
from cimkit.errors import ParameterError

if TYPE_CHECKING:
    from cimkit.codes.schemes import Scheme

SHOWN = 20
"""Invalid codes of a file that are listed; all of them with --json."""

_BATCH = 100_000
_SCHEMES = (
    "uic21 (building), bdgrid, bdgrid32 (BeiDou grid in 2D, 3D), uscc (credit code), sz25, "
    "bdc28, jgj246, opaque, gb11714, gb32100, mod_11_2, mod_11_10, mod_37_2, mod_37_36, "
    "mod_97_10, or the path of a layout (.toml)"
)

app = typer.Typer(
    name="code",
    no_args_is_help=True,
    help="""Parse, validate and mint codes.

    Schemes: uic21, a building code in the shape of CJ/T 553-2024; bdgrid and
    bdgrid32, the BeiDou grid of GB/T 39409-2020 in 2D and 3D; uscc, the unified
    social credit code; sz25, bdc28 and jgj246, layouts that were not read in their
    standards and claim no conformance; opaque, any text of an authority; plain check
    systems; and your own: the path of a layout file (docs: Codes).

    Example: cimkit code validate uic21 421002990100001000123-65
    """,
)
SchemeName = Annotated[str, typer.Argument(metavar="SCHEME", help=_SCHEMES)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def parse(
    scheme: SchemeName,
    codes: Annotated[list[str], typer.Argument(metavar="CODE")],
    as_json: Json = False,
) -> None:
    """Show the segments of codes.

    Of BeiDou codes also the corner of the cell, and of 3D ones the heights of its faces
    above the ellipsoid. bdgrid reads reference codes (C0-MN), too.

    Example: cimkit code parse uic21 421002990100001000123-65

    Example: cimkit code parse bdgrid N49H843084E14427 N50J475491E-20
    """
    from cimkit.read.schemes import find_scheme as find

    found = [{"code": code, **find(scheme).parse(code)} for code in codes]
    if as_json:
        print_json(found)
        return
    for segments in found:
        print(plain(str(segments.pop("code"))))
        for name, value in segments.items():
            print(plain(f"  {name.replace('_', ' '):20}{_text(value)}"))


def validate(
    scheme: SchemeName,
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="CODE", help="None: a code a line from stdin."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Read the codes from a column of it.")
    ] = None,
    column: Annotated[str, typer.Option(metavar="NAME", help="The column.")] = "",
    as_json: Json = False,
) -> None:
    """Count valid codes; say of each other one at which position it is wrong and why.

    Blank lines and cells are passed over and counted. The exit code is 1 where a
    code is invalid.

    Example: cimkit code validate uscc 91110000600037341L

    Example: cimkit code validate uic21 --file buildings.csv --column code

    Example: cut -f3 codes.txt | cimkit code validate mod_97_10
    """
    from cimkit.read.schemes import find_scheme as find

    rule, n_valid, n_blank, bad = find(scheme), 0, 0, []
    for places, texts in _batches(codes, file, column):
        filled = [(p, text) for p, text in zip(places, texts, strict=True) if text]
        n_blank += len(texts) - len(filled)
        wrong = _wrong(rule, filled)
        n_valid += len(filled) - len(wrong)
        bad += wrong
    if as_json:
        print_json({"scheme": scheme, "valid": n_valid, "blank": n_blank, "invalid": bad})
    else:
        for row in bad[: None if codes else SHOWN]:
            place = f"{row['place']}: " if row["place"] else ""
            print(plain(f"{place}{row['code']}: {'; '.join(row['faults'])}"))
        if not codes and len(bad) > SHOWN:
            print(f"{len(bad) - SHOWN:,} more: see --json")
        blank = f", {n_blank:,} blank" if n_blank else ""
        print(f"{scheme}: {n_valid:,} valid, {len(bad):,} invalid{blank}")
    if bad:
        raise typer.Exit(1)


def mint(
    scheme: SchemeName,
    county: Annotated[str, typer.Option(help="uic21: 6 digits of GB/T 2260.")] = "",
    township: Annotated[str, typer.Option(help="uic21: 3 digits.")] = "",
    serial: Annotated[int | None, typer.Option(help="uic21: 1 to 999999.")] = None,
    class_code: Annotated[
        str, typer.Option("--class", help="uic21: 6 digits; 990100 marks a local code.")
    ] = "990100",
    with_check: Annotated[
        bool, typer.Option("--with-check", help="uic21: add the check digits of a plate.")
    ] = False,
    lon: Annotated[float | None, typer.Option(help="bdgrid: degrees, CGCS2000.")] = None,
    lat: Annotated[float | None, typer.Option(help="bdgrid: degrees, CGCS2000.")] = None,
    height: Annotated[
        float | None, typer.Option(help="bdgrid32: metres above the ellipsoid.")
    ] = None,
    level: Annotated[int, typer.Option(help="bdgrid: 1 to 10.")] = 10,
    part: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=TEXT", help="Other schemes: a segment. Several times."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make one code from its segments, or from a place.

    It is computed, not registered: only a register knows which serials are taken.
    `cimkit build` mints the codes of a city.

    Example: cimkit code mint uic21 --county 421002 --township 001 --serial 123

    Example: cimkit code mint bdgrid --lon 112.2553 --lat 30.3159 --level 8

    Example: cimkit code mint bdgrid32 --lon 112.2553 --lat 30.3159 --height 12.4

    Example: cimkit code mint ours.toml --part county=421002 --part serial=000012
    """
    from cimkit.codes import uic21
    from cimkit.read.schemes import find_scheme as find

    if scheme == "uic21":
        _want(scheme, county=county or None, township=township or None, serial=serial)
        parts: dict[str, Any] = {"county": county, "class_code": class_code}
        parts |= {"township": township, "serial": serial}
    elif scheme in ("bdgrid", "bdgrid32"):
        solid = {"height": height} if scheme == "bdgrid32" else {}
        parts = {"lon": lon, "lat": lat, **solid}
        _want(scheme, **parts)
        parts["level"] = level
    else:
        parts = dict(_named(text) for text in part or ())
    code = str(find(scheme).mint(**parts)[0])
    code = uic21.with_check(code) if scheme == "uic21" and with_check else code
    if as_json:
        print_json({"scheme": scheme, "code": code})
    else:
        print(code)


for command in (parse, validate, mint):
    app.command()(explained()(command))


def _want(scheme: str, **options: object) -> None:
    """Refuse a mint without what it needs."""
    missing = [f"--{name}" for name, value in options.items() if value is None]
    if missing:
        raise ParameterError(f"{scheme} needs {', '.join(missing)}")


def _named(text: str) -> tuple[str, str]:
    """Name and text of a segment."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ParameterError(f"--part: NAME=TEXT, not {text!r}")
    return name, value


def _batches(
    codes: list[str] | None, file: Path | None, column: str
) -> Iterator[tuple[list[str], list[str]]]:
    """Places and texts of the codes, as many at once as stay small."""
    if codes and file:
        raise ParameterError("give codes or --file, not both")
    if (file is None) != (column == ""):
        raise ParameterError("--file and --column belong together")
    if codes:
        yield [""] * len(codes), codes
    elif file is not None:
        yield _from_column(file, column)
    else:
        places, texts = list[str](), list[str]()
        for number, line in enumerate(sys.stdin, start=1):
            places.append(f"line {number}")
            texts.append(line.strip())
            if len(texts) == _BATCH:
                yield places, texts
                places, texts = [], []
        yield places, texts


def _from_column(file: Path, column: str) -> tuple[list[str], list[str]]:
    """Codes of a column, and the number of each row below the header."""
    from cimkit.errors import FormatError
    from cimkit.read.columns import find_columns
    from cimkit.read.delimited import open_delimited, read_columns
    from cimkit.read.formats import local_file

    table, _ = open_delimited(local_file(str(file)))
    find_columns(table.columns, column, "codes", str(file))
    values, rows, issues = read_columns(table, [column])
    for issue in issues:
        if issue.severity == "ERROR":
            complain(FormatError(issue.message, path=str(file)))
    return [f"row {row + 1}" for row in rows], values[column]


def _wrong(rule: Scheme, codes: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The invalid ones among codes at places, with their faults."""
    if not codes:
        return []
    valid = rule.valid_all([code for _, code in codes]).tolist()
    return [
        {"place": place, "code": code, "faults": rule.validate(code)}
        for (place, code), good in zip(codes, valid, strict=True)
        if not good
    ]


def _text(value: Any) -> str:
    """A segment as a person reads it; degrees and metres with all their digits."""
    return repr(value) if isinstance(value, float) else str(value)
