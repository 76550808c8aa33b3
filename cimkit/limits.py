"""Every cap on hostile or huge input, with its reason."""

from __future__ import annotations

COORDINATE_MAX = 1e8
"""Metres. Zone-prefixed Gauss-Krüger eastings reach 4e7; more is no map coordinate."""

FOOTPRINT_VERTICES_MAX = 1_000_000
"""Vertices of one footprint. A real outline has below 10,000; more is a traced raster."""


ROWS_MAX = 2**31 - 1
"""Rows of one column, 16 GB. Kernels count in 64 bits, which they do not watch for overflow."""
