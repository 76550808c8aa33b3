"""Which column means what, and the numbers in it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from cimkit.errors import InputError
from cimkit.job import AUTO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cimkit.tables._columns import FloatArray

ALIASES = {
    "building id": (
        "building_id", "buildingid", "bld_id", "bid", "bh", "建筑编号", "楼栋编号", "编号",
        "gml_id", "identificatie", "ref_bid", "osm_id", "osm_way_id", "id",
    ),
    "height": ("height", "建筑高度", "高度", "楼高", "jzgd", "gd"),
    "floors": (
        "floors", "floor", "num_floors", "地上层数", "层数", "楼层数", "jzcs", "cs", "lc",
        "building_levels", "building:levels",
    ),
    "label": (
        "label", "幢号", "楼栋号", "栋号", "楼号", "楼栋名称", "建筑名称", "建筑物名称", "名称",
        "楼名", "jzwmc", "name",
    ),
    "address id": (
        "address_id", "addressid", "addr_id", "地址编码", "地址id", "dzbm", "标准地址编码",
        "编号", "bh", "gml_id", "osm_id", "id",
    ),
    "address text": (
        "address_text", "address", "标准地址", "地址全称", "详细地址", "dzmc", "dzqc",
        "地址", "full_address", "text", "housenumbers", "addr_housenumber",
    ),
    "x": ("x", "x坐标", "east", "easting", "lon", "lng", "longitude", "经度", "zxjd", "jd"),
    "y": ("y", "y坐标", "north", "northing", "lat", "latitude", "纬度", "zxwd", "wd"),
    "building": (
        "building_id", "buildingid", "bld_id", "building_ref", "building_code", "建筑编码",
        "楼栋编码", "建筑物代码", "jzwdm",
    ),
    "address kind": ("kind", "地址类型", "dzlx"),
    "parent address": ("parent_id", "上级地址编码", "父地址编码", "sjdzbm", "fdzbm"),
    "address division": (
        "社区编码", "社区代码", "sqdm", "sqbm", "division", "乡镇街道编码", "乡镇街道代码",
        "xzjddm", "xzjdbm",
    ),
    "street": (
        "street", "街路巷", "街路巷名称", "街路巷名", "jlxmc", "道路名称", "道路",
        "addr_street",
    ),
    "street number": (
        "number", "门牌号", "门牌号码", "mph", "mphm", "housenumber", "addr_housenumber",
    ),
    "estate": ("estate", "小区名称", "小区", "xqmc", "住宅区"),
    "building number": (
        "building", "幢号", "楼栋号", "栋号", "楼号", "建筑物名称", "楼栋名称", "jzwmc", "ldh",
    ),
    "unit": ("unit", "单元号", "单元", "dyh", "号座", "haozuo"),
    "floor": ("floor", "楼层号", "楼层", "lch", "lc"),
    "room": ("room", "房号", "室号", "户室号", "房间号", "dyfh", "fjh"),
    "valid from": ("valid_from", "生效日期", "启用日期", "sxrq", "qyrq"),
    "valid to": ("valid_to", "失效日期", "注销日期", "截止日期", "zxrq"),
    "rooms": ("rooms", "户室数", "房间数", "hss"),
    "households": ("households", "实有户数", "户数", "syhs", "hs"),
    "population": ("population", "实有人口", "实有人口数", "人口数", "人数", "syrk", "rks"),
    "credit code": (
        "credit_code", "uscc", "统一社会信用代码", "社会信用代码", "信用代码", "tyshxydm",
        "shxydm",
    ),
    "division code": ("code", "区划代码", "行政区划代码", "xzqhdm", "xzqdm", "dm", "adcode"),
    "division name": ("name", "名称", "区划名称", "xzqmc", "mc"),
}  # fmt: skip
"""Usual names, in the order in which they are preferred; Latin letters in lower case."""

_DBF_NAME_BYTES = 10
"""A Shapefile cuts column names here."""


def find_columns(columns: Sequence[str], wanted: str, role: str, path: str) -> list[str]:
    """Columns that may play a role, the preferred one first.

    Parameters
    ----------
    columns : sequence of str
        What the file has.
    wanted : str
        "auto" looks for the usual names, "" finds nothing, else the exact name.
    role : str
        Key of `ALIASES`.
    path : str
        For the message.

    Raises
    ------
    InputError
        If the wanted column does not exist; the message lists those that do.

    Examples
    --------
    >>> find_columns(["Id", "名称", "Floor"], "auto", "floors", "")
    ['Floor']
    """
    if wanted == "":
        return []
    if wanted == AUTO:
        return [name for alias in ALIASES[role] for name in columns if _is_alias(name, alias)]
    if wanted in columns:
        return [wanted]
    near = difflib.get_close_matches(wanted, columns, n=1)
    advice = f"Did you mean {near[0]}? " if near else ""
    raise InputError(
        f"has no column {wanted!r} for {role}",
        path=path,
        hint=f"{advice}Columns: {', '.join(columns) or 'none'}.",
    )


def numbers(values: Iterable[Any]) -> FloatArray:
    """Numbers as written in a column, shape (n,); NaN where there is none.

    A unit for metres or storeys behind the number is ignored.

    Examples
    --------
    >>> numbers(["12.5", 3, "9 m", "6层", "", None, "1_0", "inf"])
    array([12.5,  3. ,  9. ,  6. ,  nan,  nan,  nan,  nan])
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        column = values.astype(np.float64)
    else:
        column = np.array([_number(value) for value in values], dtype=np.float64)
    column[~np.isfinite(column)] = np.nan
    return column


def _number(value: Any) -> float:
    """One number or NaN."""
    text = "" if value is None else str(value).strip().rstrip("mM米层").rstrip()
    try:
        return float(text) if "_" not in text else np.nan
    except ValueError:
        return np.nan


def _is_alias(column: str, alias: str) -> bool:
    """Whether a column carries that name, in any case, or what a Shapefile leaves of it."""
    name = column.strip().lower()
    return name == alias or (_is_cut(name, alias) and _is_clear(name))


def _is_cut(name: str, alias: str) -> bool:
    """Whether ten bytes hold this beginning of a usual name, and not one character more."""
    if not name or not alias.startswith(name):
        return False
    return any(
        len(name.encode(encoding)) <= _DBF_NAME_BYTES
        and len(alias[: len(name) + 1].encode(encoding)) > _DBF_NAME_BYTES
        for encoding in ("utf-8", "gb18030")
    )


def _is_clear(name: str) -> bool:
    """Whether what is left of a name can mean one thing only.

    In UTF-8 the same is left of 标准地址, a text, and of 标准地址编码, an identifier.
    """
    meanings = {
        "building" if role == "building id" else role
        for role, names in ALIASES.items()
        if any(_is_cut(name, alias) for alias in names)
    }
    return len(meanings) == 1
