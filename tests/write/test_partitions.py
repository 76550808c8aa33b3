"""Finished parts: taken over only where record and bytes agree."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cimkit.tables import Buildings, Issue
from cimkit.tables._columns import TEXT
from cimkit.write.packing import fingerprint, pack, unpack
from cimkit.write.partitions import keep, read_part, software_fingerprint


class Result(NamedTuple):
    numbers: np.ndarray
    texts: np.ndarray
    issues: list[Issue]


KINDS = {"Result": Result, "Issue": Issue, "Buildings": Buildings}
RESULT = Result(
    np.array([1.5, np.nan]),
    np.array(["向阳路", ""], TEXT),
    [Issue("INFO", "A", "city", "", "b")],
)


def make(part):
    Path(part, "points.bin").write_bytes(b"abc" * 1000)
    Path(part, "empty").write_bytes(b"")
    return RESULT


def kept(folder, depends_on="inputs"):
    return keep(folder, depends_on, make, KINDS)


def same(one, other):
    assert (one.numbers == other.numbers).tolist() == [True, False]
    assert one.texts.tolist() == other.texts.tolist()
    assert one.issues == other.issues
    assert type(one.issues[0]) is Issue


def test_a_part_is_made_once(tmp_path):
    first, second = kept(tmp_path), kept(tmp_path)
    assert (first.reused, second.reused) == (False, True)
    assert first[:2] == second[:2]
    assert set(first.sums) == {"points.bin", "empty"}
    same(second.result, RESULT)
    assert [path.name for path in tmp_path.iterdir()] == [Path(first.folder).name]


def test_other_inputs_make_another_part(tmp_path):
    assert kept(tmp_path).folder != kept(tmp_path, "other inputs").folder


def damage(part):
    """All single damages: a byte of each file, its end, the file itself."""
    for path in sorted(Path(part.folder).iterdir()):
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 40)):
            yield path, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        yield path, whole + b"x"
        yield path, whole[:-1] if whole else b"x"
        yield path, None


def test_every_damage_is_seen_and_the_part_is_made_again(tmp_path):
    part = kept(tmp_path)
    damages = list(damage(part))
    assert len(damages) > 80
    for path, bytes_ in damages:
        path.unlink()
        if bytes_ is not None:
            path.write_bytes(bytes_)
        again = kept(tmp_path)
        assert not again.reused, path
        assert again.sums == part.sums
        assert read_part(Path(part.folder), KINDS) is not None


def test_a_part_that_was_cut_off_by_death_does_not_count(tmp_path):
    def die(part):
        Path(part, "points.bin").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path, "inputs", die, KINDS)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    assert not kept(tmp_path).reused


def test_a_twin_that_is_faster_wins(tmp_path):
    """Its part stays: another may be reading it, or removing it just as we would."""
    twins = []

    def slow(part):
        twins.append(Path(kept(tmp_path).folder).stat().st_ino)
        return make(part)

    part = keep(tmp_path, "inputs", slow, KINDS)
    assert part.sums == kept(tmp_path).sums
    assert len(list(tmp_path.iterdir())) == 1
    assert twins == [Path(part.folder).stat().st_ino]


def test_a_removed_work_folder_does_not_come_back(tmp_path):
    """A worker that outlives its build."""
    work = tmp_path / "work"
    work.mkdir()

    def outlive(part):
        shutil.rmtree(work)
        return make(part)

    with pytest.raises(FileNotFoundError):
        keep(work, "inputs", outlive, KINDS)
    assert not work.exists()


@given(
    arrays.arrays(
        arrays.boolean_dtypes()
        | arrays.integer_dtypes()
        | arrays.floating_dtypes(sizes=[32, 64]),
        arrays.array_shapes(min_dims=1, max_dims=3, min_side=0),
    )
)
def test_arrays_come_back_bit_by_bit(array):
    back = unpack(pack(array), {})
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40)
@given(VALUES)
def test_values_come_back_with_their_types(value):
    back = unpack(pack(value), {})
    assert back == value
    assert repr(back) == repr(value)


@settings(max_examples=40)
@given(VALUES, VALUES)
def test_different_values_have_different_fingerprints(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (repr(one) == repr(other))


@pytest.mark.parametrize(
    "value", [Path("/a"), {1: "a"}, {"a"}, np.array([object()]), b"bytes", np.float64(1).dtype]
)
def test_what_could_hide_a_path_or_code_is_refused(value):
    with pytest.raises(TypeError, match="cannot be packed"):
        pack(value)


def test_a_class_that_is_not_expected_is_not_made():
    with pytest.raises(KeyError):
        unpack(pack(RESULT), {"Issue": Issue})


def test_the_software_counts():
    one = software_fingerprint(["numpy"])
    assert one == software_fingerprint(["numpy"])
    assert one != software_fingerprint(["numpy", "numba"])
