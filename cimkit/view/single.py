"""A small city in one HTML file: page, tiles and all that is known, without any request."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cimkit.errors import LimitError, ParameterError
from cimkit.limits import SINGLE_PAGE_BYTES_MAX
from cimkit.view.answers import CityAnswers
from cimkit.view.page import DIST, page_file, require_page
from cimkit.view.server import DATA_TYPES

if TYPE_CHECKING:
    from cimkit.view.answers import Answers

POLICY = (
    "default-src 'none'; img-src data: blob:; connect-src blob: data:; worker-src blob:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; base-uri 'none'"
)
"""What such a page may do: run what is in it, and ask nobody."""


def single_page(answers: Answers, dist: Path = DIST) -> bytes:
    """Put a city into one page.

    Parameters
    ----------
    answers : Answers
        Of `cimkit.view.answers.open_answers`.
    dist : Path, optional
        Where the built page lies.

    Returns
    -------
    bytes
        HTML; the same city gives the same bytes.

    Raises
    ------
    ParameterError
        If the page was never built.
    LimitError
        If the tiles are larger than `cimkit.limits.SINGLE_PAGE_BYTES_MAX`.
    """
    require_page(dist)
    city = answers.city()
    files = _tiles(answers.folder, city["tilesets"])
    size = sum(map(len, files.values()))
    if size > SINGLE_PAGE_BYTES_MAX:
        raise LimitError(
            f"{answers.folder}: {size:,} bytes of tiles, at most {SINGLE_PAGE_BYTES_MAX:,} fit "
            "into one page. Serve the city instead: cimkit view without --html."
        )
    index, buildings, attributes = _known(answers)
    held = {
        "city": city,
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
        "index": index,
        "buildings": buildings,
        "attributes": attributes,
    }
    page = page_file("index.html", dist).decode()
    script = page_file("viewer.js", dist).decode().replace("</script", "<\\/script")
    style = page_file("viewer.css", dist).decode()
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
    data = f'<script type="application/json" id="cimkit-data">{_safe_json(held)}</script>'
    changes = {
        '<meta charset="utf-8" />': f'<meta charset="utf-8" />\n    {policy}',
        '<link rel="stylesheet" href="viewer.css" />': f"<style>\n{style}</style>",
        '<link rel="preload" href="city.json" as="fetch" crossorigin="anonymous" />': "",
        '<script src="viewer.js"></script>': f"{data}\n    <script>{script}</script>",
    }
    for old, new in changes.items():
        if page.count(old) != 1:
            raise ParameterError(
                f"the page of the viewer is not that of this version: it has no {old}. Build "
                "it anew: npm ci and npm run build in cimkit/view."
            )
        page = page.replace(old, new)
    return page.encode()


def _safe_json(value: Any) -> str:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _tiles(folder: Path, tilesets: dict[str, str | None]) -> dict[str, bytes]:
    """Files of the tilesets, by the addresses that the page asks for."""
    files = {}
    for url in filter(None, tilesets.values()):
        root = (folder / url.removeprefix("data/")).parent
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix in DATA_TYPES and path.name != "manifest.json":
                files[f"data/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return files


def _known(answers: Answers) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Rows to search in, what is known of each building, and what colours it."""
    if not isinstance(answers, CityAnswers):
        return [], {}, {}
    index, buildings = [], {}
    names = answers.names()
    for name in names:
        known = answers.building(name)
        if known is None:
            continue
        buildings[name] = known
        place = {key: known[key] for key in ("lon", "lat", "height", "radius")}
        row = {"building_id": name, "code": known["code"], **place}
        texts = [one["text"] for one in known["addresses"]]
        index.append({"kind": "building", "text": texts[0] if texts else name, **row})
        index += [{"kind": "address", "text": text, **row} for text in texts[1:]]
    said = answers.attributes(names)
    attributes = {
        name: [said["quality"][k], said["link_state"][k]] for k, name in enumerate(names)
    }
    return index, buildings, attributes
