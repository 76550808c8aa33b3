"""What was found wrong, or worth knowing, about one row of one input or output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

Severity = Literal["ERROR", "WARNING", "INFO"]

SEVERITIES: tuple[Severity, ...] = ("ERROR", "WARNING", "INFO")


class Issue(NamedTuple):
    """One finding. Steps return them; nothing is only logged.

    Attributes
    ----------
    severity : {"ERROR", "WARNING", "INFO"}
        ERROR: the result is wrong or missing there. WARNING: look at it. INFO: good to know.
    code : str
        Stable upper-case name, such as ``RING_SELF_CROSS``.
    table : str
        ``footprints``, ``points``, ``addresses``, ``buildings``, ``links``, ``tiles`` or
        ``city``.
    id : str
        Identifier of the row, or "" where the finding is about the whole table.
    message : str
        What is wrong and what was done or what to do.
    """

    severity: Severity
    code: str
    table: str
    id: str
    message: str


def sort_issues(issues: Iterable[Issue]) -> list[Issue]:
    """Order of the report: the grave ones first, then by code, table, id and message."""
    return sorted(issues, key=lambda issue: (SEVERITIES.index(issue.severity), *issue[1:]))


def count_issues(issues: Iterable[Issue]) -> dict[str, int]:
    """Number of issues of each code, in alphabetical order."""
    return dict(sorted(Counter(issue.code for issue in issues).items()))
