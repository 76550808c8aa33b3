"""A city in a notebook: a frame with the page in it."""

from __future__ import annotations

import html
from pathlib import Path

from cimkit.view.answers import open_answers
from cimkit.view.page import DIST
from cimkit.view.server import ViewServer


class CityView:
    """A city that is being shown; a notebook shows it as a frame.

    Parameters
    ----------
    server : ViewServer
        Started already.
    height : int
        Of the frame, pixels.
    """

    def __init__(self, server: ViewServer, height: int = 560) -> None:
        self._server = server
        self.height = height

    @property
    def url(self) -> str:
        """Address of the page, for a browser on the same machine."""
        return self._server.url

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    def __repr__(self) -> str:
        return f"CityView({self.url})"

    def _repr_html_(self) -> str:
        """Show the page in a frame."""
        source = html.escape(self.url, quote=True)
        return (
            f'<iframe src="{source}" width="100%" height="{self.height}" '
            'style="border:0" allowfullscreen></iframe>'
        )


def view_city(path: str | Path, *, port: int = 0, dist: Path = DIST) -> CityView:
    """Serve a city folder, or a tileset, and show it.

    Parameters
    ----------
    path : str or Path
    port : int, default 0
        0 takes any that is free.
    dist : Path, optional
        Where the built page lies.

    Returns
    -------
    CityView
        Its `url` opens in a browser; in a notebook it shows itself.

    Raises
    ------
    ParameterError
        If the page was never built.
    InputError
        If there is no city, or the port is taken.
    """
    server = ViewServer(open_answers(path), port, dist)
    server.start()
    return CityView(server)
