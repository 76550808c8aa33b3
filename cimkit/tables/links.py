"""Which address belongs to which building, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import (
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


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Links:
    """Pairs of building and address with their evidence; many-to-many.

    Parameters
    ----------
    building_id, address_id : text array, shape (n,)
        The pair; unique as a pair.
    rule : text array, shape (n,)
        ``R0`` given by the source, ``R1`` inside one footprint, ``R3`` at the edge of one.
    confidence : float64 array, shape (n,)
        Probability in [0, 1] that the pair is right.
    distance_m : float64 array, shape (n,)
        From the address to the footprint, metres; 0 inside, NaN without coordinates.
    inside : bool array, shape (n,)
        Whether the address lies in or on the footprint.
    n_candidates : int64 array, shape (n,)
        Footprints that came into question.
    primary : bool array, shape (n,)
        The one link that gives the building its address in tiles; at most one a building.
    unlinked_id, unlinked_reason : text array, shape (m,)
        Addresses without a link, each with the reason.
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

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "building_id", texts("building_id", self.building_id))
        n = len(self.building_id)
        for name in ("address_id", "rule"):
            put(self, name, texts(name, getattr(self, name), n))
        put(self, "confidence", floats("confidence", self.confidence, n))
        put(self, "distance_m", floats("distance_m", self.distance_m, n, finite=False))
        put(self, "inside", np.asarray(self.inside, dtype=np.bool_))
        put(self, "primary", np.asarray(self.primary, dtype=np.bool_))
        put(self, "n_candidates", integers("n_candidates", self.n_candidates, n))
        put(self, "unlinked_id", texts("unlinked_id", self.unlinked_id))
        put(
            self,
            "unlinked_reason",
            texts("unlinked_reason", self.unlinked_reason, len(self.unlinked_id)),
        )
        pairs = set(zip(self.building_id.tolist(), self.address_id.tolist(), strict=True))
        if len(pairs) < n:
            raise TableError("Links: a pair occurs twice")
        if n and not ((self.confidence >= 0) & (self.confidence <= 1)).all():
            raise TableError("Links: confidence must lie in [0, 1]")

    def __len__(self) -> int:
        return len(self.building_id)

    def __repr__(self) -> str:
        return (
            f"{describe(self, len(self), '', None)[:-1]}, {len(self.unlinked_id):,} unlinked)"
        )

    def take(self, rows: IntArray | BoolArray) -> Self:
        """The pairs chosen by index or mask; the unlinked addresses stay."""
        return type(self)(
            self.building_id[rows],
            self.address_id[rows],
            self.rule[rows],
            self.confidence[rows],
            self.distance_m[rows],
            self.inside[rows],
            self.n_candidates[rows],
            self.primary[rows],
            self.unlinked_id,
            self.unlinked_reason,
        )

    def to_pandas(self) -> pd.DataFrame:
        """The pairs as a DataFrame; the unlinked addresses are in `unlinked_to_pandas`."""
        import pandas as pd

        return pd.DataFrame(
            {
                "building_id": self.building_id.astype(object),
                "address_id": self.address_id.astype(object),
                "rule": self.rule.astype(object),
                "confidence": self.confidence,
                "distance_m": self.distance_m,
                "inside": self.inside,
                "n_candidates": self.n_candidates,
                "primary": self.primary,
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
