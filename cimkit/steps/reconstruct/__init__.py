"""Solids from footprints, points and heights."""

from cimkit.steps.reconstruct.lod import reconstruct

__all__ = ["reconstruct"]
