"""The permanent register of building codes, which outlives every build."""

from cimkit.register.move import Moved, move_register
from cimkit.register.place import open_register
from cimkit.register.reading import (
    Holdings,
    history_mark,
    read_descent,
    read_history,
    read_holdings,
    read_register_reviews,
    register_crs,
)
from cimkit.register.store import (
    Snapshot,
    activate,
    activating,
    claim,
    read_register,
    read_snapshot,
    redrawn_outlines,
    reserve,
    save_reviews,
)

__all__ = [
    "Holdings",
    "Moved",
    "Snapshot",
    "activate",
    "activating",
    "claim",
    "history_mark",
    "move_register",
    "open_register",
    "read_descent",
    "read_history",
    "read_holdings",
    "read_register",
    "read_register_reviews",
    "read_snapshot",
    "redrawn_outlines",
    "register_crs",
    "reserve",
    "save_reviews",
]
