"""``cimkit register``: what happened to the codes of a city."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cimkit.cli.terminal import explained, plain, print_json
from cimkit.errors import ParameterError

if TYPE_CHECKING:
    from cimkit.tables.coderecords import CodeRecords

app = typer.Typer(
    name="register",
    no_args_is_help=True,
    help="""Look into a code register.

    It holds all codes ever given out, and every change of them.

    Example: cimkit register log city.register.gpkg --code 421002990100001000123
    """,
)
Register = Annotated[Path, typer.Argument(metavar="REGISTER", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def log(
    register: Register,
    code: Annotated[str, typer.Option(metavar="CODE", help="Changes of one code.")] = "",
    since: Annotated[int, typer.Option(metavar="N", help="Changes after number N.")] = 0,
    as_json: Json = False,
) -> None:
    """List the changes, the oldest first: number, code, change, and what was and is.

    Outlines are told by their length only; --json prints them whole.

    Example: cimkit register log city.register.gpkg --since 1200
    """
    from cimkit.register import read_history

    changes = [
        change
        for change in read_history(register)
        if change.number > since and (not code or change.code == code)
    ]
    if as_json:
        print_json([change._asdict() for change in changes])
        return
    for change in changes:
        when = f" {change.as_of}" if change.as_of else ""
        line = f"{change.number:7} {change.code} {change.change:9} {_shown(change.after)}"
        print(plain(f"{line} [{change.cause}, {change.data_set}]{when}"))


def diff(older: Register, newer: Register, as_json: Json = False) -> None:
    """Compare two registers: codes that were added, changed state or outline.

    Codes that the newer one lacks are lost, which a register never does: the exit code is 1.

    Example: cimkit register diff backup.register.gpkg city.register.gpkg
    """
    from cimkit.register import read_register, register_crs

    crs = register_crs(newer) or register_crs(older)
    before, after = (_by_code(read_register(path, crs)) for path in (older, newer))
    rows: list[dict[str, Any]] = []
    for text in sorted(before.keys() | after.keys()):
        old, new = before.get(text), after.get(text)
        if old is None or new is None:
            rows.append({"code": text, "change": "lost" if new is None else "added"})
        elif changed := [name for name in old if old[name] != new[name]]:
            pairs = {n: [old[n], new[n]] for n in changed if n != "outline"}
            rows.append({"code": text, "change": " and ".join(changed), **pairs})
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            told = " ".join(f"{k}: {a} -> {b}" for k, (a, b) in list(row.items())[2:])
            print(plain(f"{row['code']} {row['change']} {told}".rstrip()))
        print(f"{len(rows):,} of {len(before.keys() | after.keys()):,} codes differ")
    if any(row["change"] == "lost" for row in rows):
        raise typer.Exit(1)


def export(
    register: Register,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="CSV, or GeoPackage.")],
) -> None:
    """Write all codes with state, building and the codes that they supersede.

    Example: cimkit register export city.register.gpkg codes.csv
    """
    from cimkit.register import read_descent, read_register, register_crs
    from cimkit.write.codes import write_codes

    if out.suffix.lower() not in (".csv", ".gpkg"):
        raise ParameterError(f"OUT: a .csv or .gpkg file, not {out.name!r}")
    records = read_register(register, register_crs(register))
    write_codes(out, records, read_descent(register))
    print(f"{out}: {len(records):,} codes")


for command in (log, diff, export):
    app.command()(explained()(command))


def _shown(after: str) -> str:
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
