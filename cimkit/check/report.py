"""The findings of a file of models, feature by feature, as val3dity lists them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cimkit.check.faults import RULES, Fault, issue_of
from cimkit.check.solids import check_boundaries
from cimkit.tables import Issue
from cimkit.tables.boundaries import Boundaries, Primitive


class ModelReport:
    """Counts and findings of models that are checked part by part.

    Parameters
    ----------
    snap, planarity, normals : float
        As `check_boundaries` takes them.

    Examples
    --------
    >>> report = ModelReport(snap=0.001, planarity=0.01, normals=20.0)
    >>> report.as_dict()["validity"], report.n_primitives
    (True, 0)
    """

    def __init__(self, *, snap: float, planarity: float, normals: float) -> None:
        self.issues: list[Issue] = []
        self.n_primitives = 0
        self._tolerances = {"snap": snap, "planarity": planarity, "normals": normals}
        self._total: Counter[tuple[str, str]] = Counter()
        self._wrong: Counter[tuple[str, str]] = Counter()
        self._features: set[str] = set()
        self._errors: dict[str, list[dict[str, Any]]] = {}

    def add(self, boundaries: Boundaries, unread: list[Issue]) -> None:
        """Check a part of a file.

        Parameters
        ----------
        boundaries : Boundaries
        unread : list of Issue
            What could not be read of it.
        """
        self.n_primitives += len(boundaries)
        names = [Primitive(kind).name for kind in boundaries.kind.tolist()]
        keys = list(zip(names, boundaries.lod.tolist(), strict=True))
        self._total.update(keys)
        self._features.update(boundaries.feature_id.tolist())
        faults = check_boundaries(boundaries, **self._tolerances)
        self._wrong.update(keys[row] for row in {fault.primitive for fault in faults})
        for fault in faults:
            feature = str(boundaries.feature_id[fault.primitive])
            self._errors.setdefault(feature, []).append(_row(fault, boundaries))
        self.issues += [issue_of(fault, boundaries) for fault in faults] + unread
        for issue in unread:
            if issue.severity == "ERROR":
                number = int(issue.code.split("_")[1]) if issue.code[6:9].isdigit() else 999
                name = issue.code.removeprefix(f"SOLID_{number}_").removeprefix("SOLID_")
                error = {"code": number, "description": name, "info": issue.message}
                self._features.add(issue.id)
                self._errors.setdefault(issue.id, []).append(error)

    def as_dict(self) -> dict[str, Any]:
        """Return what ``cimkit check --json`` prints; only features with errors are listed."""
        total, wrong = len(self._features), len(self._errors)
        codes = {error["code"] for errors in self._errors.values() for error in errors}
        return {
            "validity": not self._errors,
            "parameters": {
                "snap_m": self._tolerances["snap"],
                "planarity_m": self._tolerances["planarity"],
                "normals_deg": self._tolerances["normals"],
            },
            "features_overview": {"total": total, "valid": total - wrong},
            "primitives_overview": [
                {"type": kind, "lod": lod, "total": n, "valid": n - self._wrong[kind, lod]}
                for (kind, lod), n in sorted(self._total.items())
            ],
            "all_errors": sorted(codes),
            "features": [
                {"id": name, "errors": self._errors[name]} for name in sorted(self._errors)
            ],
            "issues": [issue._asdict() for issue in self.issues],
        }


def _row(fault: Fault, boundaries: Boundaries) -> dict[str, Any]:
    """One error of a feature."""
    row = fault.primitive
    place = fault.place
    return {
        "code": fault.number,
        "description": RULES[fault.number][0].split("_", 2)[2],
        "object": str(boundaries.object_id[row]),
        "lod": str(boundaries.lod[row]),
        "type": Primitive(boundaries.kind[row]).name,
        "geometry": int(boundaries.geometry[row]),
        "solid": fault.solid,
        "shell": fault.shell,
        "face": fault.face,
        "place": None
        if place is None
        else [round(a + b, 4) for a, b in zip(place, boundaries.origin, strict=True)],
        "info": fault.what,
    }
