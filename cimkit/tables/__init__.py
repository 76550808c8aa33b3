"""The nouns of cimkit: frozen tables of arrays that check themselves when they are made."""

from cimkit.tables.addresses import Addresses
from cimkit.tables.buildings import Buildings
from cimkit.tables.footprints import Footprints
from cimkit.tables.issue import Issue, count_issues, sort_issues
from cimkit.tables.links import Links
from cimkit.tables.models import Models
from cimkit.tables.pointcloud import PointCloud
from cimkit.tables.quality import Quality
from cimkit.tables.terrain import Terrain
from cimkit.tables.tiletree import TileTree

__all__ = [
    "Addresses",
    "Buildings",
    "Footprints",
    "Issue",
    "Links",
    "Models",
    "PointCloud",
    "Quality",
    "Terrain",
    "TileTree",
    "count_issues",
    "sort_issues",
]
