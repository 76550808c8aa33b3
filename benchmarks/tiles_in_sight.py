"""A flight over a tileset in the viewer: what is seen of the city, and what that takes.

    python -m benchmarks.tiles_in_sight TILESET [--pixels 16]

For camera heights from 200 m to 20 km: pixels that show a building, as part of those that the
finest level shows, and bytes of the contents that were loaded for the view of 1920 x 1080.
Needs Node.js, the packages of `tests/js`, Chromium and the built page.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT
from cimkit.view.answers import open_answers
from cimkit.view.server import ViewServer

HEIGHTS_M = (200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000)
PITCH_DEG = 45

BARE = """
const { viewer, labels } = cimkit.app;
labels.setVisible(false);
viewer.buildings.setEdges(false);
viewer.setShadows(false);
viewer.ground.visible = false;
viewer.scene.background = null;
viewer.renderer.setClearColor(0x000000, 1);
for (const name of Object.keys(viewer.layers)) viewer.setLayer(name, name === "buildings");
viewer.ground.visible = false;
"""
"""Leaves nothing in the picture but the buildings."""

SEEN = """
const { viewer } = cimkit.app;
viewer.renderer.render(viewer.scene, viewer.camera);
const gl = viewer.renderer.getContext();
const [w, h] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
const pixels = new Uint8Array(4 * w * h);
gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
let seen = 0;
for (let k = 0; k < pixels.length; k += 4) {
  seen += pixels[k] + pixels[k + 1] + pixels[k + 2] > 24;
}
const all = performance.getEntriesByType("resource");
const files = all.filter((e) => e.name.endsWith(".glb"));
return [seen, files.reduce((sum, e) => sum + e.encodedBodySize, 0), files.length];
"""


def fly(tileset: Path, pixels: float) -> list[dict[str, Any]]:
    """One row for each height."""
    server = ViewServer(open_answers(tileset))
    server.start()
    rows = []
    try:
        for height in HEIGHTS_M:
            away = height / math.sin(math.radians(PITCH_DEG))
            where = f"range: {away}, heading: 30, pitch: {PITCH_DEG}"
            look = f"{{ target: cimkit.app.middle.clone(), {where} }}"
            found = []
            for detail in (pixels, 0.01):
                steps = [
                    {"code": f"{BARE} viewer.setDetail({detail}); viewer.look({look});"},
                    {"code": SEEN},
                ]
                found.append(browse("viewer", server.url, steps=steps)["steps"][1])
            (seen, size, files), (finest, whole, _) = found
            rows.append(
                {
                    "height_m": height,
                    "covered": seen / max(finest, 1),
                    "pixels": finest,
                    "bytes": size,
                    "contents": files,
                    "bytes_finest": whole,
                }
            )
    finally:
        server.close()
    return rows


def browse(program: str, url: str, **keys: Any) -> dict[str, Any]:
    """Run a program of `tests/js/browser.mjs` in a fresh page of 1920 x 1080."""
    asked = {
        "program": program,
        "url": url,
        "chromium": shutil.which("chromium"),
        **keys,
        "width": 1920,
        "height": 1080,
    }
    call = ["node", str(ROOT / "tests" / "js" / "browser.mjs"), json.dumps(asked)]
    done = subprocess.run(call, capture_output=True, text=True, check=True, timeout=300)
    result: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return result


def main() -> None:
    """Fly and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tileset", type=Path)
    parser.add_argument("--pixels", type=float, default=16.0, help="that a tile may be off")
    arguments = parser.parse_args()
    for row in fly(arguments.tileset, arguments.pixels):
        print(
            f"{row['height_m']:>7,} m: {row['covered']:6.1%} of {row['pixels']:>9,} pixels, "
            f"{row['bytes'] / 1e6:6.2f} MB in {row['contents']} contents "
            f"(finest {row['bytes_finest'] / 1e6:.1f} MB)"
        )


if __name__ == "__main__":
    main()
