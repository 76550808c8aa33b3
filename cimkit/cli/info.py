"""``cimkit info``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cimkit.cli.terminal import complain, plain, print_json


def info(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Vector, CSV, LAS, LAZ files; city folders."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what files hold and how a build would read them.

    Kind, counts, CRS, extent, text encoding, columns, and which column would be
    taken for which role. A damaged file is named on stderr, and the others are
    shown all the same; the exit code is 3 then.

    Example: cimkit info buildings.shp addresses.csv tiles/*.laz
    """
    from cimkit.errors import CimkitError
    from cimkit.read.describe import describe

    facts: list[dict[str, Any]] = []
    exit_code = 0
    for path in files:
        try:
            facts.append(describe(path))
        except CimkitError as error:
            complain(error)
            exit_code = error.exit_code
            if as_json:
                facts.append({"path": str(path), "error": str(error)})
    if as_json:
        print_json(facts)
    else:
        for fact in facts:
            _print_facts(fact)
    if exit_code:
        raise typer.Exit(exit_code)


def _print_facts(facts: dict[str, Any], indent: str = "") -> None:
    """Print one fact a line; what belongs to a part stands further to the right."""
    for name, value in facts.items():
        label = name.replace("_", " ")
        if name in ("path", "layer"):
            print(plain(f"{indent}{'layer ' * (name == 'layer')}{value}"))
            indent += "  "
        elif name in ("layers", "notes"):
            for part in value:
                if isinstance(part, dict):
                    _print_facts(part, indent)
                else:
                    print(plain(f"{indent}note: {part}"))
        else:
            print(plain(f"{indent}{label:18}{_text(value)}"))


def _text(value: Any) -> str:
    """A fact as a person writes it."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
