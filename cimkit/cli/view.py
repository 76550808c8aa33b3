"""``cimkit view``."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from cimkit.cli.terminal import plain


def view(
    what: Annotated[
        Path, typer.Argument(metavar="CITY|TILESET", help="City folder, or a tileset.")
    ],
    port: Annotated[
        int, typer.Option(metavar="N", help="Of the server; 0 takes one.", min=0, max=65535)
    ] = 0,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one page that holds all instead."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it in a browser.")
    ] = True,
) -> None:
    """Show a city in a browser on this machine.

    Nothing is loaded from any other host. Ctrl-C ends it.

    Example: cimkit view city
    """
    from cimkit.view.answers import open_answers
    from cimkit.view.server import ViewServer
    from cimkit.view.single import single_page
    from cimkit.write.faults import disk_faults

    answers = open_answers(what)
    answers.city()  # what cannot be read is said here, not in the browser
    if page is not None:
        data = single_page(answers)
        with disk_faults(page):
            page.write_bytes(data)
        print(plain(f"{page}: {len(data):,} bytes; open it in a browser"))
        return
    server = ViewServer(answers, port)
    print(server.url, flush=True)
    if browser:
        webbrowser.open(server.url)
    try:
        server.serve()
    except KeyboardInterrupt:  # as asked for
        print()
    finally:
        server.close()
