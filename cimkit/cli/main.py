"""The commands together."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from cimkit.cli.build import build
from cimkit.cli.check import check
from cimkit.cli.code import app as code
from cimkit.cli.demo import demo
from cimkit.cli.info import info
from cimkit.cli.register import app as register
from cimkit.cli.review import review
from cimkit.cli.sample import sample
from cimkit.cli.terminal import explained
from cimkit.cli.tile import tile
from cimkit.cli.versions import print_versions
from cimkit.cli.view import view

app = typer.Typer(
    name="cimkit",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 ok, 1 finished with ERROR issues, 2 usage, 3 input, 4 disk, "
    "5 worker, 70 a fault of cimkit, 130 interrupted.",
)

for command in (demo, info, build, tile, view, check, review, sample):
    app.command()(explained()(command))
app.add_typer(code)
app.add_typer(register)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the versions of cimkit and its native libraries.",
            callback=print_versions,
            is_eager=True,
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """White models of a city: singulated, coded, linked to addresses, as 3D Tiles.

    Begin with `cimkit demo`; options of cimkit stand before the command.
    """


def main() -> None:
    """Run the command that the arguments name."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may lack Chinese letters
        sys.stdout.reconfigure(errors="backslashreplace")
    with explained():
        app()
