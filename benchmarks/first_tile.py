"""First tile on screen: the page of cimkit beside CesiumJS, on the same tileset.

    python -m benchmarks.first_tile CITY [--repeats 5]

Milliseconds from the start of the navigation to the first frame with a tile in it, in a fresh
headless Chromium each time, in turns; the least of each. Both pages and the tiles come from
this machine. Needs Node.js, the packages of `tests/js`, Chromium and the built page.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.measuring import ROOT, Row, print_table
from benchmarks.tiles_in_sight import browse
from cimkit.view.answers import open_answers
from cimkit.view.server import ViewServer
from tests.clients.conftest import served

CESIUM = ROOT / "tests" / "js" / "node_modules" / "cesium" / "Build" / "Cesium"
FIRST = "return performance.getEntriesByName('first-tile')[0].startTime"


def first_tile(city: Path, repeats: int = 5) -> list[Row]:
    """The least of each of the two."""
    answers = open_answers(city)
    server = ViewServer(answers)
    server.start()
    own, peer = [], []
    try:
        with served(tiles=answers.folder / answers.served, cesium=CESIUM) as url:
            for _ in range(repeats):
                own.append(
                    browse("viewer", server.url, steps=[{}, {"code": FIRST}])["steps"][1]
                )
                peer.append(browse("cesium", url)["first"])
    finally:
        server.close()
    group = "First tile on screen"
    return [
        Row(group, "page of cimkit", min(own), "ms", min(own) / min(peer), "CesiumJS"),
        Row(group, "CesiumJS", min(peer), "ms"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("city", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print_table(first_tile(arguments.city, arguments.repeats))


if __name__ == "__main__":
    main()
