"""Every cap on hostile or huge input, with its reason."""

from __future__ import annotations

COORDINATE_MAX = 1e8
"""Metres. Zone-prefixed Gauss-Krüger eastings reach 4e7; more is no map coordinate."""

FOOTPRINT_VERTICES_MAX = 1_000_000
"""Vertices of one footprint. A real outline has below 10,000; more is a traced raster."""

OUTLINE_TURNS_MAX = 10_000
"""Rounds of removing needless vertices. Real outlines need below 10; a line that is drawn there
and back loses one vertex a round, and 10,000 rounds take a second."""

CROSSED_EDGE_PAIRS_MAX = 20_000
"""Pairs of edges near each other in an outline that crosses itself; to untangle so many takes
GEOS half a second, and the time grows with their number."""

EDGE_PAIRS_MAX = 50_000_000
"""Pairs of edges near each other in any outline. Traced rasters have about one an edge; the
check for crossings looks at all of them, 100 M a second."""

OVERLAP_PAIRS_MAX = 100
"""Pairs of footprints that meet, for each footprint. Old towns have 3, a storey as a footprint
of its own some 15."""

TERRAIN_CELLS_MAX = 32_000_000
"""Cells of the terrain grid, 0.5 GB while it is summed: cells double until the city fits."""

LAS_HEADER_BYTES = 65_536
"""Read from a LAS file before it is trusted; header and variable length records start here."""

LAS_VLRS_MAX = 4_096
"""Variable length records. Real files have below 20."""

CSV_BYTES_MAX = 4_000_000_000
"""Size of an address table that is read at once: about 20 M rows."""

TEXT_CHARACTERS_MAX = 10_000
"""Characters of one identifier or address."""

SINGLE_PAGE_BYTES_MAX = 40_000_000
"""Tiles in one HTML file: a browser takes such a page in some seconds."""

TILE_TEXT_CHARACTERS_MAX = 1_000
"""Characters of one text in a tile: a client holds the texts of all tiles that it shows."""

COPC_NODES_MAX = 4_000_000
"""Entries of the hierarchy of one COPC file, 128 MB: at 100,000 points a node 4e11 points."""

COPC_NODE_POINTS_MAX = 5_000_000
"""Points of one node of a COPC file, 0.3 GB decoded. Writers put some 100,000 into it."""

COPC_LEVELS_MAX = 30
"""Depth of a COPC octree: keys are 32-bit numbers. Real files have below 15 levels."""

GEOJSON_KEYS_BYTES = 32_000_000
"""Size up to which a GeoJSON is searched for doubled keys: it takes ten times the memory, and a
fifth of the time of reading. In a larger file the last value of a doubled key counts."""

XLSX_BYTES_MAX = 1_000_000_000
"""Unpacked size of a workbook. A full sheet of 1,048,576 addresses has some 0.5 GB."""

ROWS_MAX = 2**31 - 1
"""Rows of one column, 16 GB. Kernels count in 64 bits, which they do not watch for overflow."""

CITYJSON_BYTES_MAX = 1_000_000_000
"""Size of a CityJSON file, which is read at once and takes ten times that in memory. A larger
city is written as CityJSONSeq."""

CITYJSON_LINE_BYTES_MAX = 256_000_000
"""Size of one feature of a CityJSONSeq file. A building has some 10 kB."""

RING_CORNERS_MAX = 10_000
"""Points of one ring of a solid that is checked: all pairs of its edges are, 50 M of them; a
circle of so many takes 6 s."""

SHELL_CORNERS_MAX = 1_000_000
"""Points of one geometry that is checked. The largest buildings of a country have 50,000."""

RELATED_TRIANGLES_MAX = 10_000
"""Triangles of two solids, or shells, that are held against each other, as the mean of both:
each piece of one is held against all triangles of the other, 100 M pairs in 5 s."""
