"""What a survey flight adds to the returns: their order, times and angles."""

from __future__ import annotations

from typing import Any

import numpy as np

from cimkit.sample.layout import to_line
from cimkit.sample.pulses import (
    FIRST_STRIP,
    FLIGHT_HEIGHT,
    STRIP_SPACING,
    Returns,
    strips_over,
    take,
)

SPEED = 60.0
"""Metres a second."""

LINE = 0.35
"""Metres between scan lines: at this speed some 170 lines a second."""

PULSE_TIME = 2e-6
"""Seconds from pulse to pulse."""

STRIP_TIME = 2000.0
"""Seconds from the beginning of a strip to that of the next."""

FIRST_TIME = 389_000_000.0
"""Adjusted standard GPS time, that is less 10^9 s, of the first strip: January 2024."""

YEAR = 365.25 * 86400.0

ANGLE_UNIT = 0.006
"""Degrees; LAS 1.4 counts scan angles in these."""


def in_flight_order(returns: Returns, *, years: int = 0) -> tuple[Returns, dict[str, Any]]:
    """Sort returns as they were flown, and give each what LAS keeps of a pulse.

    Parameters
    ----------
    returns : Returns
        Of one file.
    years : int
        After the first survey.

    Returns
    -------
    returns : Returns
        Strip by strip, scan line by scan line; every second strip is flown backwards.
    attributes : dict of str to array
        Under the names of laspy: ``point_source_id``, ``gps_time``, ``scan_angle``,
        ``overlap``, ``return_number``, ``number_of_returns``.
    """
    along, across = to_line(returns.xyz[:, 0], returns.xyz[:, 1])
    ahead = np.where(returns.strip % 2 == 0, along, -along)
    line = np.floor(ahead / LINE).astype(np.int64)
    order = np.lexsort((across, line, returns.strip))
    returns, line, across = take(returns, order), line[order], across[order]
    begins = np.flatnonzero(np.diff(line, prepend=line[:1] - 1))
    pulse = np.arange(len(line)) - np.repeat(begins, np.diff(begins, append=len(line)))
    # A strip of 40 km takes 700 s; backwards strips begin far behind their end at 0.
    begin = FIRST_TIME + YEAR * years + STRIP_TIME * (returns.strip + (returns.strip % 2) / 2.0)
    sideways = across - (returns.strip - 0.5) * STRIP_SPACING
    degrees = np.rint(np.rad2deg(np.arctan2(sideways, FLIGHT_HEIGHT)))
    own, _ = strips_over(returns.xyz[:, :2])
    return returns, {
        "point_source_id": (returns.strip + FIRST_STRIP).astype(np.uint16),
        "gps_time": begin + line * (LINE / SPEED) + pulse * PULSE_TIME,
        "scan_angle": np.rint(degrees / ANGLE_UNIT).astype(np.int16),
        "overlap": (own != returns.strip).astype(np.uint8),
        "return_number": returns.return_number,
        "number_of_returns": returns.number_of_returns,
    }
