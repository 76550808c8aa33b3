"""The commands together, and what an error looks like to a person."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cimkit import __version__
from cimkit.cli.build import build
from cimkit.cli.check import check
from cimkit.cli.demo import demo
from cimkit.cli.info import info
from cimkit.cli.sample import sample
from cimkit.errors import CimkitError

app = typer.Typer(
    name="cimkit",
    help="White models of a city: singulated, coded, linked to addresses, as 3D Tiles.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

for command in (demo, info, build, check, sample):
    app.command()(command)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print versions and leave.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Options of all commands."""
    context.obj = {"debug": debug}
    if version:
        print(f"cimkit {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command; errors become one line on stderr and an exit code.

    Exit codes: 0 ok, 1 finished with ERROR issues, 2 usage, 3 input, 4 disk, 5 worker,
    130 interrupted.
    """
    try:
        app()
    except CimkitError as error:
        if "--debug" in sys.argv:
            raise
        print(f"cimkit: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("cimkit: interrupted; the old output is untouched", file=sys.stderr)
        sys.exit(130)
