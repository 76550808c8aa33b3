"""Published vectors, kept as text: what goes in, what must come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cimkit.codes import uic21
from cimkit.codes.beidou import beidou_code
from cimkit.codes.beidou_3d import split_code
from cimkit.codes.beidou_height import height_code
from cimkit.codes.beidou_reference import code_of_reference, reference_code
from cimkit.codes.modulus import check_characters, is_valid

VECTORS = Path(__file__).with_name("vectors.txt")


def degrees(text: str) -> float:
    sign = -1 if text.startswith("-") else 1
    parts = [float(part) for part in text.lstrip("-").split(":")]
    return sign * float(sum(part / 60**k for k, part in enumerate(parts)))


def plane(level: str, lon: str, lat: str) -> Any:
    return beidou_code(degrees(lon), degrees(lat), int(level)).item()


OPERATIONS: dict[str, Callable[..., Any]] = {
    "beidou_code": plane,
    "height_code": lambda level, height: height_code(float(height), int(level)).item(),
    "split_code": lambda code: " ".join(split_code(code)),
    "reference_code": reference_code,
    "code_of_reference": code_of_reference,
    "check_characters": check_characters,
    "uic21_with_check": uic21.with_check,
}


def vectors() -> Iterator[tuple[str, str, str]]:
    operation = accepted = ""
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word == "operation":
            operation = rest
        elif word == "accept":
            accepted = rest
        elif word == "expect":
            yield operation, accepted, rest
        else:
            assert word in ("", "#"), line


@pytest.mark.parametrize(
    ("operation", "accepted", "expected"),
    [pytest.param(*vector, id=f"{k}-{vector[0]}") for k, vector in enumerate(vectors())],
)
def test_vector(operation: str, accepted: str, expected: str):
    name, *options = operation.split()
    assert OPERATIONS[name](*options, *accepted.split()) == expected
    if name == "check_characters":
        assert is_valid(options[0], accepted + expected)
