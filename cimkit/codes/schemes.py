"""All code schemes under one name each: their segments, and what is wrong with a code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from cimkit.codes import modulus, uic21, uscc
from cimkit.codes.beidou import beidou_corner
from cimkit.codes.beidou_3d import LENGTHS_3D, beidou_corner_3d, split_code
from cimkit.codes.beidou_cells import LENGTHS
from cimkit.codes.beidou_reference import code_of_reference
from cimkit.codes.text import half_width
from cimkit.errors import ParameterError
from cimkit.tables._columns import BoolArray


class Scheme(NamedTuple):
    """What can be asked about codes of one scheme.

    Attributes
    ----------
    about : str
        The scheme in a few words.
    segments : callable
        Parts of a valid code by name, in their order; `ParameterError` for another.
    faults : callable
        What is wrong with a code, with positions; nothing if it is valid.
    valid : callable
        Whether each of a list of codes is valid, shape (n,).
    """

    about: str
    segments: Callable[[str], dict[str, Any]]
    faults: Callable[[str], list[str]]
    valid: Callable[[list[str]], BoolArray]


def scheme(name: str) -> Scheme:
    """A scheme by its name.

    Raises
    ------
    ParameterError
        If there is none; the message lists all.

    Examples
    --------
    >>> scheme("bdgrid").segments("N50J")
    {'level': 1, 'hemisphere': 'N', 'level 1': '50J', 'lon': 114.0, 'lat': 36.0}
    >>> scheme("uic21").faults("42100299010000100012")
    ['21 digits expected, not 20']
    """
    if name not in SCHEMES:
        raise ParameterError(f"scheme: one of {', '.join(SCHEMES)}, not {name!r}")
    return SCHEMES[name]


def _building(code: str) -> dict[str, Any]:
    parts = uic21.parse(code)
    return parts._asdict() | {"check": modulus.mod_97_10(uic21.mint(*parts))}


def _credit(code: str) -> dict[str, Any]:
    parts = uscc.parse(code)
    agrees = modulus.is_valid("gb11714", parts.organisation)
    return parts._asdict() | {"organisation_check": "agrees" if agrees else "differs"}


def _plane(code: str) -> dict[str, Any]:
    code = half_width(code).strip()
    target = code_of_reference(code) if "-" in code else code
    (lon,), (lat,) = beidou_corner(target)
    head = {"reference_to": target} if target != code else {}
    return head | _by_level(target, LENGTHS) | {"lon": float(lon), "lat": float(lat)}


def _solid(code: str) -> dict[str, Any]:
    code = half_width(code).strip()
    (lon,), (lat,), (low,), (high,) = beidou_corner_3d(code)
    plane, height = split_code(code)
    found = _by_level(code, LENGTHS_3D) | {"place_code": plane, "height_code": height}
    place = {"lon": float(lon), "lat": float(lat)}
    return found | place | {"height_from": float(low), "height_below": float(high)}


def _by_level(code: str, lengths: tuple[int, ...]) -> dict[str, Any]:
    """Characters of each level."""
    level = lengths.index(len(code))
    parts = {f"level {k}": code[lengths[k - 1] : lengths[k]] for k in range(1, level + 1)}
    return {"level": level, "hemisphere": code[: lengths[0]], **parts}


def _checked(system: str, code: str) -> dict[str, Any]:
    if reasons := modulus.faults(system, code):
        raise ParameterError(f"code {code!r}: {'; '.join(reasons)}")
    cut = len(code) - modulus.SYSTEMS[system].n_checks
    return {"body": code[:cut], "check": code[cut:]}


def _all_checked(system: str, codes: list[str]) -> BoolArray:
    return modulus.is_valid(system, codes)


def _refusal(parse: Callable[[str], Any], code: str) -> list[str]:
    """The reason for which a code cannot be parsed."""
    try:
        parse(code)
    except ParameterError as error:
        return [str(error).removeprefix(f"code {half_width(code).strip()!r}: ")]
    return []


def _by_halves(parse: Callable[[Any], Any], codes: list[str]) -> BoolArray:
    """Whether each code can be parsed; all at once where none is wrong, else by halves."""
    try:
        parse([half_width(code).strip() for code in codes])
    except ParameterError:
        if len(codes) == 1:
            return np.array([not _refusal(_plane, codes[0])] if "-" in codes[0] else [False])
        middle = len(codes) // 2
        halves = codes[:middle], codes[middle:]
        return np.concatenate([_by_halves(parse, half) for half in halves])
    return np.ones(len(codes), dtype=np.bool_)


_CHECKED = {
    "gb32100": "MOD 31 of GB 32100, without the other rules of uscc",
    "gb11714": "organisation code, GB 11714",
    "mod_11_2": "ISO/IEC 7064 MOD 11-2, as in GB 11643",
    "mod_11_10": "ISO/IEC 7064 MOD 11-10",
    "mod_37_2": "ISO/IEC 7064 MOD 37-2",
    "mod_37_36": "ISO/IEC 7064 MOD 37-36",
    "mod_97_10": "ISO/IEC 7064 MOD 97-10, as on plates",
}

SCHEMES = {
    "uic21": Scheme(
        "building code in the shape of CJ/T 553-2024",
        _building,
        uic21.validate,
        uic21.valid_all,
    ),
    "bdgrid": Scheme(
        "BeiDou grid, GB/T 39409-2020, in two dimensions",
        _plane,
        partial(_refusal, _plane),
        partial(_by_halves, beidou_corner),
    ),
    "bdgrid32": Scheme(
        "BeiDou grid with height, 32 characters at level 10",
        _solid,
        partial(_refusal, _solid),
        partial(_by_halves, beidou_corner_3d),
    ),
    "uscc": Scheme(
        "unified social credit code, GB 32100-2015",
        _credit,
        uscc.validate,
        lambda codes: np.array([not uscc.validate(code) for code in codes], dtype=np.bool_),
    ),
    **{
        name: Scheme(
            about,
            partial(_checked, name),
            partial(modulus.faults, name),
            partial(_all_checked, name),
        )
        for name, about in _CHECKED.items()
    },
}
"""All schemes by name."""
