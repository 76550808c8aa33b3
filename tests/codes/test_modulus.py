"""Check systems against python-stdnum, and what each promises to catch."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimkit.codes.modulus import SYSTEMS, check_characters, faults, is_valid, mod_97_10
from cimkit.errors import ParameterError

FREE = [name for name, system in SYSTEMS.items() if not system.weights]
ORACLES = {
    "mod_97_10": ("iso7064.mod_97_10", "calc_check_digits"),
    "mod_11_2": ("iso7064.mod_11_2", "calc_check_digit"),
    "mod_11_10": ("iso7064.mod_11_10", "calc_check_digit"),
    "mod_37_2": ("iso7064.mod_37_2", "calc_check_digit"),
    "mod_37_36": ("iso7064.mod_37_36", "calc_check_digit"),
    "gb32100": ("cn.uscc", "calc_check_digit"),
}
"""Module and function of python-stdnum; it has none for GB 11714."""


def random_bodies(system: str, n: int, seed: int = 0, length: int = 20) -> list[str]:
    rng = np.random.default_rng(seed)
    rule = SYSTEMS[system]
    symbols = np.array(list(rule.alphabet))
    length = len(rule.weights) or length
    return ["".join(row) for row in symbols[rng.integers(0, len(symbols), (n, length))]]


@pytest.mark.parametrize("system", ORACLES)
def test_agrees_with_stdnum(system: str):
    module, function = ORACLES[system]
    peer = getattr(pytest.importorskip(f"stdnum.{module}"), function)
    bodies = [body[k % 17 :] if system in FREE else body
              for k, body in enumerate(random_bodies(system, 2000))]  # fmt: skip
    if system == "gb32100":  # stdnum takes digits only in the first eight
        bodies = [f"9{k % 10}{110000 + k:06d}{body[8:]}" for k, body in enumerate(bodies)]
    assert check_characters(system, bodies).tolist() == [peer(body) for body in bodies]


def test_organisation_codes_of_published_credit_codes():
    """Codes in the documentation of python-stdnum hold the check of their own middle."""
    assert importlib.import_module("stdnum.cn.uscc").is_valid("91110000600037341L")
    assert is_valid("gb11714", "91110000600037341L"[8:17])


@pytest.mark.parametrize("system", SYSTEMS)
def test_one_and_many_are_the_same(system: str):
    bodies = random_bodies(system, 50, seed=1)
    checks = check_characters(system, bodies)
    assert checks.tolist() == [check_characters(system, body) for body in bodies]
    codes = [body + check for body, check in zip(bodies, checks.tolist(), strict=True)]
    assert is_valid(system, codes).all()
    assert all(is_valid(system, code) for code in codes)
    assert not any(faults(system, code) for code in codes)


@pytest.mark.parametrize("system", FREE)
def test_lengths_may_be_mixed(system: str):
    bodies = [body[: 1 + k % 20] for k, body in enumerate(random_bodies(system, 60, seed=2))]
    checks = check_characters(system, bodies).tolist()
    assert checks == [check_characters(system, body) for body in bodies]


@pytest.mark.parametrize("system", [name for name in SYSTEMS if name != "gb11714"])
def test_every_slip_of_one_character_is_caught(system: str):
    """Not by GB 11714, whose letters stand for 10 to 35, more than its modulus."""
    rule = SYSTEMS[system]
    bodies = random_bodies(system, 40, seed=3)
    codes = [body + check_characters(system, body) for body in bodies]
    slips = [
        code[:k] + symbol + code[k + 1 :]
        for code in codes
        for k in range(len(code))
        for symbol in (rule.alphabet if k < len(bodies[0]) else rule.checks)
        if symbol != code[k]
    ]
    assert not is_valid(system, slips).any()


@pytest.mark.parametrize(
    ("system", "share"),
    [
        ("mod_97_10", 1.0),
        ("mod_11_2", 1.0),
        ("mod_37_2", 1.0),
        ("mod_37_36", 0.994),
        ("mod_11_10", 0.978),
        ("gb32100", 1.0),
    ],
)
def test_share_of_swapped_neighbours_that_is_caught(system: str, share: float):
    """As measured over 20,000 bodies of digits: swaps of two different neighbours."""
    rng = np.random.default_rng(4)
    length = len(SYSTEMS[system].weights) or 20
    bodies = ["".join(map(str, row)) for row in rng.integers(0, 10, (20_000, length)).tolist()]
    checks = check_characters(system, bodies).tolist()
    k = 1 + np.arange(len(bodies)) % (len(bodies[0]) - 1)
    swapped = [
        body[: i - 1] + body[i] + body[i - 1] + body[i + 1 :] + check
        for body, check, i in zip(bodies, checks, k.tolist(), strict=True)
        if body[i] != body[i - 1]
    ]
    caught = 1 - is_valid(system, swapped).mean()
    assert caught == share if share == 1.0 else caught == pytest.approx(share, abs=0.004)


@given(st.from_regex(r"[0-9]{1,30}", fullmatch=True))
def test_short_and_general_97_10_agree(digits: str):
    assert mod_97_10(digits) == check_characters("mod_97_10", digits)
    assert int(digits + mod_97_10(digits)) % 97 == 1


@pytest.mark.parametrize("text", ["", "12a", "１２", "-1", "1.0"])
def test_other_characters_are_refused(text: str):
    with pytest.raises(ParameterError, match="only the digits"):
        mod_97_10(text)
    with pytest.raises(ParameterError, match=r"^body "):
        check_characters("mod_97_10", ["1", text])
    assert not is_valid("mod_97_10", text)


@pytest.mark.parametrize(
    ("system", "code", "fault"),
    [
        ("mod_11_2", "", "no character before the 1 of the check"),
        ("mod_11_2", "7", "no character before the 1 of the check"),
        ("mod_97_10", "43", "no character before the 2 of the check"),
        ("mod_11_2", "0795", "check is 5, not X"),
        ("mod_11_2", "07x5", "position 3 is 'x', not one of 0123456789"),
        ("mod_11_2", "07９5", "position 3 is '９', not one of 0123456789"),
        ("mod_11_2", "079\0", "check is \0, not X"),
        ("mod_97_10", "435411161155111432", "check is 32, not 31"),
        ("gb11714", "6000373", "9 characters expected, not 7"),
        ("gb32100", "9111000060003734IL", "position 17 is 'I'"),
        ("gb32100", "91110000600037341L1", "18 characters expected, not 19"),
        ("mod_37_2", "G123489654321*", "check is *, not Y"),
    ],
)
def test_faults_say_where(system: str, code: str, fault: str):
    assert any(reason.startswith(fault) for reason in faults(system, code))
    assert not is_valid(system, code)
    assert is_valid(system, [code, code]).tolist() == [False, False]


@given(st.sampled_from(list(SYSTEMS)), st.lists(st.text(max_size=20), max_size=5))
def test_faults_and_validity_agree_on_any_text(system: str, codes: list[str]):
    assert is_valid(system, codes).tolist() == [not faults(system, code) for code in codes]


@pytest.mark.parametrize("call", [check_characters, is_valid, faults])
def test_unknown_systems_are_refused(call: Any):
    with pytest.raises(ParameterError, match="system: one of mod_97_10"):
        call("luhn", "1")
