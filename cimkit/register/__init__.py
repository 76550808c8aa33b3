"""The permanent register of building codes, which outlives every build."""

from cimkit.register.move import Moved, move_register
from cimkit.register.store import (
    Holdings,
    Snapshot,
    activate,
    activating,
    history_mark,
    open_register,
    read_descent,
    read_history,
    read_holdings,
    read_register,
    read_register_reviews,
    read_snapshot,
    register_crs,
    reserve,
    save_reviews,
)

__all__ = [
    "Holdings",
    "Moved",
    "Snapshot",
    "activate",
    "activating",
    "history_mark",
    "move_register",
    "open_register",
    "read_descent",
    "read_history",
    "read_holdings",
    "read_register",
    "read_register_reviews",
    "read_snapshot",
    "register_crs",
    "reserve",
    "save_reviews",
]
