"""Results of tasks as JSON text and back, without pickles, and their fingerprints.

A pickle in a work folder would be code that the next build runs. What is written here holds
numbers, texts, arrays, and tuples and tables of them; anything else is refused.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cimkit.tables._columns import TEXT

Kinds = Mapping[str, type]
"""Named tuples and tables that a text may hold, by their names."""


def pack(value: Any) -> str:
    """A value as one line of JSON.

    Raises
    ------
    TypeError
        If it holds something else than numbers, texts, arrays, lists, mappings with text keys,
        named tuples and dataclasses.

    Examples
    --------
    >>> pack((1, "a", np.array([0.5])))
    '{"tuple": [1, "a", {"array": ["<f8", [1], "AAAAAAAA4D8="]}]}'
    """
    return json.dumps(_plain(value, lambda data: base64.b64encode(data).decode()))


def unpack(text: str, kinds: Kinds) -> Any:
    """Inverse of `pack`.

    Raises
    ------
    ValueError, KeyError, TypeError
        If the text is damaged, or holds a class that is not among `kinds`.

    Examples
    --------
    >>> unpack(pack((1, "a", np.array([0.5]))), {})
    (1, 'a', array([0.5]))
    """
    return _rich(json.loads(text), kinds)


def fingerprint(value: Any) -> str:
    """SHA-256 of everything that a value holds, as 64 hexadecimal digits.

    Equal values give equal fingerprints on every machine; no path and no memory address can get
    in, for only what `pack` takes is taken.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    >>> fingerprint(1) == fingerprint(1.0)
    False
    """
    plain = _plain(value, lambda data: hashlib.sha256(data).hexdigest())
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _plain(value: Any, blob: Callable[[bytes], str]) -> Any:
    """The value in what JSON has; each other type is an object with one key, its name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype == TEXT:
            return {"text": value.tolist()}
        data = np.ascontiguousarray(value)
        if data.dtype.kind not in "biuf":
            raise TypeError(f"an array of {data.dtype} cannot be packed")
        return {"array": [data.dtype.str, list(data.shape), blob(data.tobytes())]}
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        fields = [_plain(getattr(value, name), blob) for name in names]
        return {type(value).__name__: fields}
    if isinstance(value, tuple):
        name = type(value).__name__ if hasattr(value, "_fields") else "tuple"
        return {name: [_plain(item, blob) for item in value]}
    if isinstance(value, list):
        return [_plain(item, blob) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: _plain(item, blob) for key, item in value.items()}}
    raise TypeError(f"{type(value).__name__} cannot be packed")


def _rich(value: Any, kinds: Kinds) -> Any:
    if isinstance(value, list):
        return [_rich(item, kinds) for item in value]
    if not isinstance(value, dict):
        return value
    ((name, inner),) = value.items()
    if name == "text":
        return np.array(inner, dtype=TEXT)
    if name == "array":
        kind, shape, data = inner
        return np.frombuffer(base64.b64decode(data), dtype=kind).reshape(shape).copy()
    if name == "mapping":
        return {key: _rich(item, kinds) for key, item in inner.items()}
    items = [_rich(item, kinds) for item in inner]
    return tuple(items) if name == "tuple" else kinds[name](*items)
