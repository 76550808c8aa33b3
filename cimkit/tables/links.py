"""Which address belongs to which building, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import (
    TEXT,
    BoolArray,
    FloatArray,
    IntArray,
    TextArray,
    describe,
    floats,
    integers,
    texts,
)

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = {
    "building_id": None,
    "address_id": None,
    "rule": None,
    "factors": "",
    "runner_up_id": "",
    "matched_elements": "",
    "conflicts": "",
    "crs_in": "",
    "transform": "",
    "review_state": "auto",
    "reviewed_by": "",
    "source_dataset": "",
    "source_hash": "",
    "method_version": "",
    "params_hash": "",
    "created_at": "",
    "valid_from": "",
    "valid_to": "",
}
"""Text columns, and what they hold where nothing is given."""

_SHARES = ("runner_up_confidence", "text_similarity")
_COLUMNS = (
    *("building_id", "address_id", "role", "rule", "confidence", "factors", "distance_m"),
    *("inside", "n_candidates", "runner_up_id", "runner_up_confidence", "text_similarity"),
    *("matched_elements", "conflicts", "source_row", "crs_in", "transform", "review_state"),
    *("reviewed_by", "source_dataset", "source_hash", "method_version", "params_hash"),
    *("created_at", "valid_from", "valid_to"),
    "primary",
)
"""Columns of the DataFrame, in their order."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Links:
    """Pairs of building and address with their evidence; many-to-many.

    Enough to answer why an address is tied to a building, and what else came into question.

    Parameters
    ----------
    building_id, address_id : text array, shape (n,)
        The pair; unique as a pair.
    rule : text array, shape (n,)
        ``R0`` given by the source, ``R1`` inside one footprint, ``R2`` inside several, ``R3``
        at the edge of one, ``R4`` by its number on the street, ``R5`` by its name or its
        siblings, ``R6`` a compound, ``REVIEW`` made by a person.
    confidence : float64 array, shape (n,)
        Probability in [0, 1] that the pair is right: the product of the factors.
    distance_m : float64 array, shape (n,)
        From the address to the footprint, metres; 0 inside, NaN without coordinates.
    inside : bool array, shape (n,)
        Whether the address lies in or on the footprint.
    n_candidates : int64 array, shape (n,)
        Footprints that came into question.
    primary : bool array, shape (n,)
        The one link that gives the building its address in tiles; at most one a building. In
        the DataFrame also as `role`, primary or secondary.
    unlinked_id, unlinked_reason : text array, shape (m,)
        Addresses without a link, each with the reason.
    factors : text array, shape (n,), optional
        JSON: ``base`` of the rule, ``point`` for the accuracy of the place, ``text`` for the
        building number.
    runner_up_id : text array, shape (n,), optional
        The building that came next; "" where none.
    runner_up_confidence : float64 array, shape (n,), optional
        What that building would have got; NaN where none.
    text_similarity : float64 array, shape (n,), optional
        1 if the building numbers in the address and on the label agree, 0 if they contradict
        each other, NaN where one of them has none.
    matched_elements : text array, shape (n,), optional
        ``building`` where name or number are those of the label, ``number`` where the order of
        the plates led to the building.
    conflicts : text array, shape (n,), optional
        ``FAR_FROM_GIVEN``, ``BUILDING_NUMBER``, ``REVIEW_CONFLICT`` and the kinds of
        `cimkit.steps.link_conflicts.mark_conflicts`, separated by ``;``; "" where none.
    source_row : int64 array, shape (n,), optional
        Number of the address in its file; -1 where unknown.
    crs_in, transform : text array, shape (n,), optional
        CRS of the coordinates in the file; ``A -> B`` where they were transformed.
    review_state : text array, shape (n,), optional
        ``auto`` until a person says ``accepted``, ``rejected`` or ``edited``.
    reviewed_by : text array, shape (n,), optional
        Who has said so, separated by ``;``.
    source_dataset, source_hash : text array, shape (n,), optional
        File of the address and the start of its SHA-256.
    method_version, params_hash : text array, shape (n,), optional
        What made the link, and the start of the SHA-256 of its parameters.
    created_at : text array, shape (n,), optional
        Date of the city (`as_of`); "" where the user gives none.
    valid_from, valid_to : text array, shape (n,), optional
        Days between which the address is in force, YYYY-MM-DD.
    """

    building_id: TextArray
    address_id: TextArray
    rule: TextArray
    confidence: FloatArray
    distance_m: FloatArray
    inside: BoolArray
    n_candidates: IntArray
    primary: BoolArray
    unlinked_id: TextArray
    unlinked_reason: TextArray
    factors: TextArray = ()  # type: ignore[assignment]
    runner_up_id: TextArray = ()  # type: ignore[assignment]
    runner_up_confidence: FloatArray = ()  # type: ignore[assignment]
    text_similarity: FloatArray = ()  # type: ignore[assignment]
    matched_elements: TextArray = ()  # type: ignore[assignment]
    conflicts: TextArray = ()  # type: ignore[assignment]
    source_row: IntArray = ()  # type: ignore[assignment]
    crs_in: TextArray = ()  # type: ignore[assignment]
    transform: TextArray = ()  # type: ignore[assignment]
    review_state: TextArray = ()  # type: ignore[assignment]
    reviewed_by: TextArray = ()  # type: ignore[assignment]
    source_dataset: TextArray = ()  # type: ignore[assignment]
    source_hash: TextArray = ()  # type: ignore[assignment]
    method_version: TextArray = ()  # type: ignore[assignment]
    params_hash: TextArray = ()  # type: ignore[assignment]
    created_at: TextArray = ()  # type: ignore[assignment]
    valid_from: TextArray = ()  # type: ignore[assignment]
    valid_to: TextArray = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        put = object.__setattr__
        n = len(self.building_id)

        def given(name: str, otherwise: Any) -> Any:
            column = getattr(self, name)
            if len(column) or otherwise is None:
                return column
            kind = TEXT if isinstance(otherwise, str) else None
            return np.full(n, otherwise, dtype=kind)

        for name, otherwise in _TEXTS.items():
            put(self, name, texts(name, given(name, otherwise), n))
        put(self, "confidence", floats("confidence", self.confidence, n))
        put(self, "distance_m", floats("distance_m", self.distance_m, n, finite=False))
        for name in _SHARES:
            put(self, name, floats(name, given(name, np.nan), n, finite=False))
        for name in ("inside", "primary"):
            put(self, name, np.asarray(getattr(self, name), dtype=np.bool_))
        put(self, "n_candidates", integers("n_candidates", self.n_candidates, n))
        put(self, "source_row", integers("source_row", given("source_row", -1), n))
        put(self, "unlinked_id", texts("unlinked_id", self.unlinked_id))
        reason = texts("unlinked_reason", self.unlinked_reason, len(self.unlinked_id))
        put(self, "unlinked_reason", reason)
        if _repeats(self.building_id, self.address_id):
            raise TableError("Links: a pair occurs twice")
        for name in ("confidence", *_SHARES):
            column = getattr(self, name)
            if ((column < 0) | (column > 1)).any():
                raise TableError(f"Links: {name} must lie in [0, 1]")

    def __len__(self) -> int:
        return len(self.building_id)

    def __repr__(self) -> str:
        return (
            f"{describe(self, len(self), '', None)[:-1]}, {len(self.unlinked_id):,} unlinked)"
        )

    @property
    def role(self) -> TextArray:
        """``primary``, ``secondary`` or ``compound`` (rule R6), shape (n,)."""
        compound = np.where(self.rule == "R6", "compound", "secondary")
        return texts("role", np.where(self.primary, "primary", compound))

    def take(self, rows: IntArray | BoolArray) -> Self:
        """The pairs chosen by index or mask; the unlinked addresses stay."""
        chosen = {name: getattr(self, name)[rows] for name in _COLUMNS if name != "role"}
        return type(self)(
            **chosen, unlinked_id=self.unlinked_id, unlinked_reason=self.unlinked_reason
        )

    def surest(self) -> dict[str, str]:
        """The building of each address by its surest link.

        Of links that are equally sure the nearer one counts, then the least `building_id`. A
        link to a whole compound says none.
        """
        own = self.take(self.rule != "R6")
        distance = np.nan_to_num(own.distance_m, nan=np.inf).tolist()
        rows = zip(
            *(own.address_id.tolist(), (-own.confidence).tolist(), distance),
            own.building_id.tolist(),
            strict=True,
        )
        found: dict[str, str] = {}
        for address, _, _, building in sorted(rows):
            found.setdefault(address, building)
        return found

    def to_pandas(self) -> pd.DataFrame:
        """The pairs as a DataFrame; the unlinked addresses are in `unlinked_to_pandas`."""
        import pandas as pd

        columns = {name: getattr(self, name) for name in _COLUMNS}
        return pd.DataFrame(
            {
                name: column.astype(object) if name == "role" or name in _TEXTS else column
                for name, column in columns.items()
            }
        )

    def unlinked_to_pandas(self) -> pd.DataFrame:
        """Addresses without a link: `address_id` and `reason`."""
        import pandas as pd

        return pd.DataFrame(
            {
                "address_id": self.unlinked_id.astype(object),
                "reason": self.unlinked_reason.astype(object),
            }
        )

    @classmethod
    def from_pandas(cls, pairs: pd.DataFrame, unlinked: pd.DataFrame) -> Self:
        """Inverse of `to_pandas` and `unlinked_to_pandas`; evidence may be missing."""
        columns = {
            name: pairs[name].fillna("") if name in _TEXTS else pairs[name]
            for name in _COLUMNS
            if name != "role" and name in pairs
        }
        return cls(
            **columns, unlinked_id=unlinked["address_id"], unlinked_reason=unlinked["reason"]
        )


def _repeats(building_id: TextArray, address_id: TextArray) -> bool:
    """Whether a pair occurs twice. Addresses alone are unique as a rule, which is seen fast."""
    names = address_id.tolist()
    if len(set(names)) == len(names):
        return False
    return len(set(zip(building_id.tolist(), names, strict=True))) < len(names)
