"""Job files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from cimkit.errors import FormatError
from cimkit.registerurl import is_url

_PATHS = (
    *("footprints", "addresses", "dem", "register", "sha256sums", "division_names"),
    *("households", "organisations"),
)


def read_job(path: str | Path) -> dict[str, Any]:
    """Keys of a ``city.toml``; paths in it are relative to the file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        For `cimkit.Job.from_mapping`, which checks keys and values.

    Raises
    ------
    FormatError
        If the file cannot be read or is no TOML.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(
            f"cannot be read ({error.strerror})", path=str(path), hint="Check the path."
        ) from error
    except ValueError as error:
        raise FormatError(
            f"is no TOML ({error})", path=str(path), hint="Mend that line."
        ) from error
    for key in _PATHS:
        if isinstance(values.get(key), str) and values[key] and not is_url(values[key]):
            values[key] = str(path.parent / values[key])
    division, coded = values.get("division"), values.get("code_scheme")
    if isinstance(division, str) and division and not division.isdigit():
        values["division"] = str(path.parent / division)
    if isinstance(coded, str) and coded.endswith(".toml"):
        values["code_scheme"] = str(path.parent / coded)
    for key in ("points", "reviews"):
        given = values.get(key)
        if isinstance(given, str):
            given = [given]
        if isinstance(given, list):
            values[key] = [str(path.parent / str(one)) for one in given]
    return values
