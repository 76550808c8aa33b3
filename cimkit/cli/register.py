"""``cimkit register``: what happened to the codes of a city."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cimkit.cli.terminal import explained, plain, print_json
from cimkit.errors import ParameterError
from cimkit.registerurl import shown

if TYPE_CHECKING:
    from cimkit.tables.changes import Change
    from cimkit.tables.coderecords import CodeRecords

app = typer.Typer(
    name="register",
    no_args_is_help=True,
    help="""Look into a code register, or move it.

    It holds all codes ever given out, and every change of them. It is a GeoPackage, or a
    database: postgresql://user@host/database?schema=city

    Example: cimkit register log city.register.gpkg --code 421002990100001000123
    """,
)
Register = Annotated[str, typer.Argument(metavar="REGISTER", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def log(
    register: Register,
    code: Annotated[str, typer.Option(metavar="CODE", help="Changes of one code.")] = "",
    since: Annotated[int, typer.Option(metavar="N", help="Changes after number N.")] = 0,
    address: Annotated[
        str, typer.Option(metavar="ID", help="Changes of one address instead.")
    ] = "",
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """List the changes, the oldest first: number, code, change, and what was and is.

    Outlines are told by their length only; --json and --csv print them whole.

    Example: cimkit register log city.register.gpkg --since 1200
    """
    from cimkit.register import read_history, read_holdings

    if as_json and as_csv:
        raise ParameterError("--json and --csv exclude each other: give one")
    if address:
        _print_rows(read_holdings(register, address_id=address).changes, as_json=as_json)
        return
    changes = [
        change
        for change in read_history(register)
        if change.number > since and (not code or change.code == code)
    ]
    if as_json:
        print_json([change._asdict() for change in changes])
    elif as_csv:
        _print_csv(changes)
    else:
        for change in changes:
            when = f" {change.as_of}" if change.as_of else ""
            line = f"{change.number:7} {change.code} {change.change:9} {_told(change.after)}"
            print(plain(f"{line} [{change.cause}, {change.data_set}]{when}"))


def diff(
    older: Register,
    newer: Annotated[str | None, typer.Argument(metavar="[NEWER]", show_default=False)] = None,
    since: Annotated[
        int | None, typer.Option(metavar="N", help="What has changed after number N.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two registers, or one with itself at a number of its history.

    Codes that were added, changed state, building or outline. Codes that the newer one lacks
    are lost, which a register never does: the exit code is 1.

    Example: cimkit register diff backup.register.gpkg city.register.gpkg
    """
    from cimkit.register import read_history

    if (newer is None) == (since is None):
        raise ParameterError("diff: name two registers, or one and --since")
    if newer is None:
        rows, of = _changed_since(read_history(older), since or 0), ""
    else:
        rows, n = _compare(older, newer)
        of = f" of {n:,}"
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            told = " ".join(f"{k}: {a} -> {b}" for k, (a, b) in list(row.items())[2:])
            print(plain(f"{row['code']} {row['change']} {told}".rstrip()))
        print(f"{len(rows):,}{of} codes differ")
    if any(row["change"] == "lost" for row in rows):
        raise typer.Exit(1)


def export(
    register: Register,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="CSV, or GeoPackage.")],
    table: Annotated[
        str, typer.Option(metavar="TABLE", help="codes, addresses or links; the latter as CSV.")
    ] = "codes",
) -> None:
    """Write all codes with state, building and the codes that they supersede.

    Or the addresses with what each says, or the building codes that they are linked to.

    Example: cimkit register export city.register.gpkg codes.csv
    """
    from cimkit.register import read_descent, read_holdings, read_register, register_crs
    from cimkit.write.codes import write_codes, write_rows

    if table not in ("codes", "addresses", "links"):
        raise ParameterError(f"--table: codes, addresses or links, not {table!r}")
    if out.suffix.lower() not in ((".csv", ".gpkg") if table == "codes" else (".csv",)):
        kinds = ".csv or .gpkg" if table == "codes" else ".csv"
        raise ParameterError(f"OUT: a {kinds} file, not {out.name!r}")
    if table != "codes":
        rows = getattr(read_holdings(register), table)
        write_rows(out, rows)
        print(plain(f"{out}: {len(rows):,} {table}"))
        return
    records = read_register(register, register_crs(register), also_moved=True)
    write_codes(out, records, read_descent(register))
    print(plain(f"{out}: {len(records):,} codes"))


def move(
    source: Annotated[str, typer.Argument(metavar="FROM", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TO", show_default=False)],
) -> None:
    """Move a register, with its whole history, to a place where there is none.

    The old one is closed: it can be read, but no build takes codes from it any more.

    Example: cimkit register move city.register.gpkg "postgresql://localhost/cim?schema=city"
    """
    from cimkit.register import move_register

    moved = move_register(source, target)
    counts = f"{moved.codes:,} codes, {moved.history:,} changes, {moved.reviews:,} decisions"
    print(plain(f"{shown(target)}: {counts}"))
    print(plain(f"{shown(source)} is closed; build with --register {shown(target)}"))


for command in (log, diff, export, move):
    app.command()(explained()(command))


def _print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Changes of an address, a line each."""
    if as_json:
        print_json(rows)
        return
    for row in rows:
        when = f" {row['as_of']}" if row["as_of"] else ""
        line = f"{row['number']:7} {row['address_id']} {row['change']:8} {row['after']}"
        print(plain(f"{line} [{row['cause']}, {row['data_set']}]{when}"))


def _print_csv(changes: Iterable[Change]) -> None:
    """Changes as CSV; a text that a spreadsheet would run as a formula gets an apostrophe."""
    import csv
    import sys

    from cimkit.tables.changes import Change
    from cimkit.write.spreadsheet import harmless

    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(Change._fields)
    for change in changes:
        rows.writerow([harmless(value) for value in change])


def _compare(older: str, newer: str) -> tuple[list[dict[str, Any]], int]:
    """Codes that differ between two registers, and how many there are in both together."""
    from cimkit.register import read_register, register_crs

    crs = register_crs(newer) or register_crs(older)
    before, after = (
        _by_code(read_register(place, crs, also_moved=True)) for place in (older, newer)
    )
    rows: list[dict[str, Any]] = []
    for text in sorted(before.keys() | after.keys()):
        old, new = before.get(text), after.get(text)
        if old is None or new is None:
            rows.append({"code": text, "change": "lost" if new is None else "added"})
        else:
            rows += _differing(text, old, new)
    return rows, len(before.keys() | after.keys())


def _changed_since(changes: Iterable[Change], since: int) -> list[dict[str, Any]]:
    """Codes that are not as they were at a number of the history."""
    import json

    was: dict[str, dict[str, Any] | None] = {}
    now: dict[str, dict[str, Any]] = {}
    for change in changes:
        before, after = json.loads(change.before), json.loads(change.after)
        if change.number <= since or change.change == "reviewed" or "supersedes" in after:
            continue
        if change.code not in was:
            was[change.code] = None if change.change == "reserved" else {}
        first, last = was[change.code], now.setdefault(change.code, {})
        if first is not None:
            first |= {name: value for name, value in before.items() if name not in first}
        last |= after
    rows: list[dict[str, Any]] = []
    for code, old in sorted(was.items()):
        if old is None:
            rows.append({"code": code, "change": "added"})
        else:
            rows += _differing(code, old, now[code])
    return rows


def _differing(code: str, old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """One row if a code is not what it was; outlines are only named."""
    changed = [name for name in _FIELDS if name in old and old[name] != new[name]]
    pairs = {name: [old[name], new[name]] for name in changed if name != "outline"}
    return [{"code": code, "change": " and ".join(changed), **pairs}] if changed else []


_FIELDS = ("state", "building_id", "outline")


def _told(after: str) -> str:
    """What is now, in few characters."""
    import json

    values = json.loads(after)
    if "outline" in values:
        values["outline"] = f"{len(values['outline']) // 2} bytes"
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _by_code(records: CodeRecords) -> dict[str, dict[str, Any]]:
    """State, building and outline by code."""
    columns = (records.code, records.state, records.building_id)
    return {
        code: {"state": state, "building_id": name, "outline": shape.normalize().wkb}
        for code, state, name, shape in zip(
            *(column.tolist() for column in columns), records.polygons, strict=True
        )
    }
