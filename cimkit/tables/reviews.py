"""What people have decided about links."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from cimkit.errors import TableError
from cimkit.tables._columns import TEXT, TextArray, describe, texts

DECISIONS = ("accepted", "rejected", "edited")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Reviews:
    """Decisions about links (人工复核), a row each.

    Parameters
    ----------
    address_id : text array, shape (n,)
    building_code : text array, shape (n,)
        Permanent code of the building that the link goes to; "" where the address had none.
    decision : text array, shape (n,)
        ``accepted``, the link is right; ``rejected``, it is wrong; ``edited``, the address
        belongs to `new_building`. An address without a link that is accepted stays without.
    new_building : text array, shape (n,)
        Code or identifier of the right building; "" unless edited.
    reviewer, note, data_set : text array, shape (n,)
        Who decided, why, and the file that says so.

    Examples
    --------
    >>> Reviews(["A1"], ["421002990100001000123"], ["accepted"], [""], ["李"], [""], ["a.csv"])
    Reviews(1 rows, 0.0 MB)
    """

    address_id: TextArray
    building_code: TextArray
    decision: TextArray
    new_building: TextArray
    reviewer: TextArray
    note: TextArray
    data_set: TextArray

    def __post_init__(self) -> None:
        n = len(self.address_id)
        for field in fields(self):
            column = texts(field.name, getattr(self, field.name), n)
            object.__setattr__(self, field.name, column)
        for decision, new in zip(
            self.decision.tolist(), self.new_building.tolist(), strict=True
        ):
            if decision not in DECISIONS or (decision == "edited") != (new != ""):
                raise TableError(f"Reviews: decision {decision!r} with new building {new!r}")

    @classmethod
    def empty(cls) -> Self:
        """Nothing decided."""
        return cls(*(np.empty(0, dtype=TEXT) for _ in fields(cls)))

    @classmethod
    def concatenate(cls, parts: list[Reviews]) -> Self:
        """Decisions of several files."""
        columns = ([getattr(part, f.name) for part in parts] for f in fields(cls))
        return cls(*(np.concatenate(c) if c else np.empty(0, dtype=TEXT) for c in columns))

    def __len__(self) -> int:
        return len(self.address_id)

    def __repr__(self) -> str:
        return describe(self, len(self), "", None)

    def rows(self) -> list[dict[str, Any]]:
        """Each decision by the names of its columns."""
        names = [field.name for field in fields(self)]
        columns = (getattr(self, name).tolist() for name in names)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
