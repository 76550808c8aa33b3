"""Addresses to buildings within a build: rules, then people, then what speaks against them.

Each link is stamped with where it comes from, so that it can be replayed: the same file, the
same version and the same parameters give the same link.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from cimkit.inputs import Inputs, data_set
from cimkit.job import Job
from cimkit.steps.address.tree import check_tree
from cimkit.steps.link import link
from cimkit.steps.link_conflicts import mark_conflicts
from cimkit.steps.review import apply_reviews
from cimkit.tables import Addresses, Issue, Links
from cimkit.tables._columns import TEXT, TextArray


def link_addresses(job: Job, inputs: Inputs, codes: TextArray) -> tuple[Links, list[Issue]]:
    """Links of all addresses, as the rules and then people say; none without addresses."""
    addresses = inputs.addresses or Addresses.empty(job.crs)
    rules = {"edge_distance": job.edge_distance, "accuracy": job.address_accuracy_m}
    links, issues = link(addresses, inputs.footprints, codes=codes, **rules)
    names = inputs.footprints.building_id
    links, found = apply_reviews(links, inputs.reviews, addresses, names, codes)
    issues += found
    if len(addresses):
        links, found = mark_conflicts(
            *(links, addresses, inputs.footprints),
            codes=codes,
            division=inputs.division,
            divisions=inputs.divisions,
            as_of=job.as_of,
        )
        issues += found + check_tree(addresses, links)
    return _stamped(links, addresses, job, rules), issues


def _stamped(links: Links, addresses: Addresses, job: Job, rules: dict[str, float]) -> Links:
    """The links with the file, the method and the parameters that they come from."""
    if not len(links):
        return links
    source, _, digest = data_set(job.addresses).partition(" sha256 ")
    parameters = hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:16]
    row_of = {name: row for row, name in enumerate(addresses.address_id.tolist())}
    rows = np.array([row_of[name] for name in links.address_id.tolist()], np.int64)
    same = {
        "source_dataset": source,
        "source_hash": digest,
        "method_version": f"cimkit {version('cimkit')}",
        "params_hash": parameters,
        "created_at": job.as_of,
    }
    columns: dict[str, Any] = {
        name: np.full(len(links), text, TEXT) for name, text in same.items()
    }
    columns["valid_from"] = addresses.elements.valid_from[rows]
    columns["valid_to"] = addresses.elements.valid_to[rows]
    return replace(links, **columns)
