"""Checks of what was built, by anyone: solids, tiles, whole cities."""
