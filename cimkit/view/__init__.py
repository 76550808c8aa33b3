"""Look at a city in a browser (浏览): a page with its tiles, on this machine alone.

The page is built by npm when the package is built (see the README of this folder); nothing is
loaded from any other host.
"""

from __future__ import annotations

from cimkit.view.notebook import CityView, view_city
from cimkit.view.page import is_built, require_page
from cimkit.view.server import ViewServer
from cimkit.view.single import single_page

__all__ = ["CityView", "ViewServer", "is_built", "require_page", "single_page", "view_city"]
