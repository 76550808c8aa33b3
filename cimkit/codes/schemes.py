"""All code schemes behind one interface: mint, parse, validate, check.

Some are functions of this package; the others are data, the files of ``layouts/``.
`cimkit.read.schemes.find_scheme` also takes a file of the user's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from cimkit.codes import layout as layouts
from cimkit.codes import modulus, uic21, uscc
from cimkit.codes.beidou import beidou_code, beidou_corner
from cimkit.codes.beidou_3d import LENGTHS_3D, beidou_code_3d, beidou_corner_3d, split_code
from cimkit.codes.beidou_cells import LENGTHS
from cimkit.codes.beidou_reference import code_of_reference
from cimkit.codes.text import as_texts, half_width
from cimkit.errors import ParameterError
from cimkit.tables._columns import TEXT, BoolArray, TextArray


class Scheme(NamedTuple):
    """What can be asked about codes of one scheme.

    Attributes
    ----------
    about : str
        The scheme in a few words.
    parse : callable
        Parts of a valid code by name, in their order; `ParameterError` for another.
    validate : callable
        What is wrong with a code, with positions; nothing if it is valid.
    valid_all : callable
        Whether each of a list of codes is valid, shape (n,).
    mint : callable
        Codes from arrays of their parts, given by name; `ParameterError` with the names of
        missing parts, or where others give these codes out.
    check : callable
        Check characters of codes without them; "" where the scheme has none.
    is_verified : bool
        Whether the layout was read in its standard. Others claim no conformance.
    source : str
        Where it was read.
    """

    about: str
    parse: Callable[[str], dict[str, Any]]
    validate: Callable[[str], list[str]]
    valid_all: Callable[[list[str]], BoolArray]
    mint: Callable[..., TextArray]
    check: Callable[[list[str]], TextArray]
    is_verified: bool = True
    source: str = ""


def scheme(name: str) -> Scheme:
    """A scheme by its name.

    Raises
    ------
    ParameterError
        If there is none; the message lists all.

    Examples
    --------
    >>> scheme("bdgrid").parse("N50J")
    {'level': 1, 'hemisphere': 'N', 'level 1': '50J', 'lon': 114.0, 'lat': 36.0}
    >>> scheme("uic21").validate("4210029901000010001")
    ['19 of 21 digits: a spreadsheet drops leading zeros; take it from its source, as text']
    >>> shenzhen = scheme("sz25")
    >>> parts = dict(province="44", city="03", district="05", street=7, community=5, grid=1)
    >>> shenzhen.mint(**parts, building=[1, 2]).tolist(), shenzhen.is_verified
    (['4403050070050100001', '4403050070050100002'], False)
    """
    if name in SCHEMES:
        return SCHEMES[name]
    if name in LAYOUTS:
        return scheme_of(layout(name))
    known = ", ".join([*SCHEMES, *LAYOUTS])
    raise ParameterError(f"scheme: one of {known}, or a layout file (.toml), not {name!r}")


@cache
def layout(name: str) -> layouts.Layout:
    """One of the layouts that come with cimkit: a key of `LAYOUTS`."""
    return layouts.layout_of(name, LAYOUTS[name])


def scheme_of(rule: layouts.Layout) -> Scheme:
    """A layout behind the interface of all schemes."""
    return Scheme(
        rule.about,
        lambda code: {k: str(v[0]) for k, v in layouts.parse(rule, code).items() if v[0]},
        partial(layouts.validate, rule),
        partial(layouts.valid_all, rule),
        partial(layouts.mint, rule),
        partial(layouts.check, rule),
        rule.is_verified,
        rule.source,
    )


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


def _not_minted(name: str, by: str) -> Callable[..., TextArray]:
    def mint(**parts: Any) -> TextArray:
        raise ParameterError(f"{name} is given out by {by}, not here")

    return mint


def _minted(make: Callable[..., Any]) -> Callable[..., TextArray]:
    """A function that gives codes, as one of named parts; what it lacks is told by name."""

    def mint(**parts: Any) -> TextArray:
        wanted = inspect.signature(make).parameters
        missing = [k for k, v in wanted.items() if v.default is v.empty and k not in parts]
        strange = sorted(set(parts) - set(wanted))
        if missing or strange:
            what = f"needs {', '.join(missing)}" if missing else f"has no part {strange[0]}"
            raise ParameterError(what)
        return np.atleast_1d(np.asarray(make(**parts), dtype=TEXT))

    return mint


def _no_check(codes: list[str]) -> TextArray:
    return np.full(len(codes), "", dtype=TEXT)


def _checks(system: str, bodies: list[str]) -> TextArray:
    return modulus.check_characters(system, bodies)


def _checked_code(system: str, body: list[str]) -> TextArray:
    return np.strings.add(as_texts(body), modulus.check_characters(system, body))


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
        _minted(uic21.mint_all),
        partial(_checks, "mod_97_10"),
        source="CJ/T 553-2024 as catalogued: 6 + 6 + 9 digits; its class table was not read",
    ),
    "bdgrid": Scheme(
        "BeiDou grid, GB/T 39409-2020, in two dimensions",
        _plane,
        partial(_refusal, _plane),
        partial(_by_halves, beidou_corner),
        _minted(beidou_code),
        _no_check,
        source="GB/T 39409-2020",
    ),
    "bdgrid32": Scheme(
        "BeiDou grid with height, 32 characters at level 10",
        _solid,
        partial(_refusal, _solid),
        partial(_by_halves, beidou_corner_3d),
        _minted(beidou_code_3d),
        _no_check,
        source="GB/T 39409-2020",
    ),
    "uscc": Scheme(
        "unified social credit code, GB 32100-2015",
        _credit,
        uscc.validate,
        lambda codes: np.array([not uscc.validate(code) for code in codes], dtype=np.bool_),
        _not_minted("uscc", "the registration authority"),
        partial(_checks, "gb32100"),
        source="GB 32100-2015",
    ),
    **{
        name: Scheme(
            about,
            partial(_checked, name),
            partial(modulus.faults, name),
            partial(_all_checked, name),
            _minted(partial(_checked_code, name)),
            partial(_checks, name),
            source="ISO/IEC 7064" if name.startswith("mod") else "GB " + name[2:],
        )
        for name, about in _CHECKED.items()
    },
}
"""Schemes that are functions, by name."""

LAYOUTS = {
    file.name.removesuffix(".toml"): file.read_text(encoding="utf-8")
    for file in sorted(files("cimkit.codes").joinpath("layouts").iterdir(), key=str)
    if file.name.endswith(".toml")
}
"""Texts of the files of the schemes that are data, by name."""
