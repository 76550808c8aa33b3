"""report.html: what went in, what came out, what is doubtful.

One self-contained page: no script, no request to any host, every value escaped by
`cimkit.write.markup.element`. No clock, host or path is in it: equal cities, equal reports.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from cimkit.tables import Addresses, Buildings, Footprints, Issue, Links, Models, sort_issues
from cimkit.tables.buildings import GROUND_SOURCES, HEIGHT_SOURCES
from cimkit.write.markup import Markup, element
from cimkit.write.plan_svg import draw_plan
from cimkit.write.svg import draw_histogram
from cimkit.write.whitemodel_svg import draw_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cimkit.tables._columns import TextArray
    from cimkit.tables.reportfacts import Balance, InputFile, ReportFacts

EXAMPLES_MAX = 20
"""Issues written out for each code; city.gpkg holds them all."""
CELL_CHARACTERS_MAX = 300
"""Longer texts are cut: a hostile attribute of 10 MB must not swell the page."""

SOURCE_COLOURS = dict(
    zip(HEIGHT_SOURCES, ("#3c78a8", "#4f9d69", "#e08e2b", "#c2352b"), strict=True)
)
ISSUE_COLOURS = {
    "ERROR": "#c2352b",
    "WARNING": "#e08e2b",
    "INFO": "#3c78a8",
    "none 无": "#c9d1d8",
}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_STYLE = """
:root { color-scheme: light; --ink: #24323f; --faint: #6b7b8a; --line: #e3e8ed; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 24px 20px 64px; color: var(--ink);
  background: #fff; font: 15px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC",
  "Microsoft YaHei", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 28px; line-height: 1.25; margin: 8px 0 16px; }
h2 { font-size: 19px; margin: 40px 0 12px; padding-bottom: 6px;
  border-bottom: 2px solid var(--line); }
h3 { font-size: 15px; margin: 16px 0 6px; }
svg { display: block; width: 100%; height: auto; }
figure { margin: 16px 0; }
.hero svg { border-radius: 10px; }
.cards { display: flex; flex-wrap: wrap; gap: 10px; }
.card { flex: 1 1 130px; padding: 10px 14px; border: 1px solid var(--line);
  border-radius: 8px; }
.card b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
.card span, .note { color: var(--faint); font-size: 13px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr));
  gap: 4px 28px; align-items: start; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 10px 5px 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; overflow-wrap: normal; }
thead th { color: var(--faint); font-size: 12px; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.right { color: #2f7d4f; } .wrong, .ERROR { color: #c2352b; } .WARNING { color: #a8640f; }
.INFO { color: #3c78a8; }
tr.wrong > * { color: #c2352b; background: #fdf0ef; }
code { font: 12.5px/1.5 ui-monospace, Menlo, Consolas, monospace; }
details { border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; padding: 8px 14px; }
summary { cursor: pointer; }
@media (max-width: 560px) { body { padding: 14px 12px 40px; font-size: 14px; }
  h1 { font-size: 22px; } .card b { font-size: 18px; }
  figure { overflow-x: auto; } figure:not(.hero) svg { width: 560px; }
  .scroll table { min-width: 480px; } }
@media print { body { max-width: none; padding: 0; } h2 { break-after: avoid; }
  figure, tr, .card { break-inside: avoid; } }
"""


def report_html(
    facts: ReportFacts,
    footprints: Footprints,
    buildings: Buildings,
    addresses: Addresses | None,
    links: Links | None,
    models: Models | None,
    issues: Sequence[Issue],
) -> bytes:
    """Write the report of one built city (质检报告).

    Parameters
    ----------
    facts : ReportFacts
        Inputs, balances, counts, parameters and versions.
    footprints : Footprints
        The accepted outlines.
    buildings : Buildings
        In the order of `footprints`.
    addresses, links, models : optional
        None where the build had none; `models` at the level of detail to show.
    issues : sequence of Issue
        In any order.

    Returns
    -------
    bytes
        A whole HTML page in UTF-8, which is valid XML as well. The same arguments give the same
        bytes.

    Examples
    --------
    >>> import numpy as np
    >>> import shapely
    >>> from cimkit.tables import Buildings, Footprints
    >>> from cimkit.tables.reportfacts import ReportFacts
    >>> outline = Footprints.from_polygons(["a"], [shapely.box(0, 0, 9, 5)])
    >>> text, number = np.array([""]), np.array([3.0])
    >>> house = Buildings(["a"], text, *[number, text], *[number] * 5, *[text] * 4, [0], number)
    >>> page = report_html(ReportFacts("<Town>"), outline, house, None, None, None, [])
    >>> b"<h1>&lt;Town&gt;</h1>" in page
    True
    """
    ordered = sort_issues(issues)
    body = element(
        "body",
        element("h1", facts.title),
        _cards(facts, buildings, addresses, links, ordered),
        *_hero(models, len(buildings)),
        *_balances(facts.balances),
        *_outputs(facts, buildings, links),
        *_heights(footprints, buildings, addresses),
        *_issues(ordered, footprints),
        *_inputs(facts.inputs),
        element("h2", "Parameters and versions 参数与版本"),
        element(
            "div",
            _listing("Parameters 参数", facts.parameters),
            _listing("Versions 版本", facts.versions),
            class_="columns",
        ),
    )
    return f"<!DOCTYPE html>\n{element('html', _head(facts.title), body, lang='en')}\n".encode()


def _head(title: str) -> Markup:
    """Title, style, and the policy that forbids every script and every request."""
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(_STYLE)),
    )


def _hero(models: Models | None, n_all: int) -> list[Markup]:
    """Show the built city at first sight."""
    if models is None:
        return []
    return [_figure(draw_models(models, by_height=True, n_all=n_all), "hero")]


def _heights(
    footprints: Footprints, buildings: Buildings, addresses: Addresses | None
) -> list[Markup]:
    """Show how high the buildings are, and how that is known."""
    histogram = draw_histogram(buildings.height, title="Height above ground 建筑高度", unit="m")
    plan = draw_plan(
        footprints,
        buildings.height_source,
        title="Source of the height 高度来源",
        colours=SOURCE_COLOURS,
        addresses=addresses,
    )
    return [element("h2", "Heights 高度"), _figure(histogram), _figure(plan)]


def _cards(
    facts: ReportFacts,
    buildings: Buildings,
    addresses: Addresses | None,
    links: Links | None,
    issues: Sequence[Issue],
) -> Markup:
    """Show the figures that everybody looks for first."""
    coded = int(np.count_nonzero(buildings.code != ""))
    severity = Counter(issue.severity for issue in issues)
    wrong = sum(not balance.adds_up for balance in facts.balances)
    cards: list[tuple[str, str, str]] = [
        (f"{len(buildings):,}", "buildings 建筑", ""),
        (f"{coded:,}", "with a code 已编码", ""),
    ]
    if addresses is not None and links is not None:
        linked = len(set(links.address_id.tolist()))
        cards.append((f"{linked:,}", f"of {len(addresses):,} addresses linked 已关联地址", ""))
    cards += [
        (f"{severity['ERROR']:,}", "errors 错误", "ERROR" if severity["ERROR"] else ""),
        (f"{severity['WARNING']:,}", "warnings 警告", "WARNING" if severity["WARNING"] else ""),
        (
            "✗" if wrong else "✓",
            f"{wrong} balances off 不平衡" if wrong else "counts add up 数量平衡",
            "wrong" if wrong else "right",
        ),
    ]
    return element(
        "div",
        *(
            element(
                "div",
                element("b", value, class_=kind or None),
                element("span", name),
                class_="card",
            )
            for value, name, kind in cards
        ),
        class_="cards",
    )


def _fault(balance: Balance) -> str:
    """What is wrong with a balance."""
    missing = balance.in_count - balance.total
    return f"✗ {missing:+,} missing 缺失" if missing else "✗ counted twice 重复"


def _balances(balances: Sequence[Balance]) -> list[Markup]:
    """Set what went in against the sum of what became of it."""
    if not balances:
        return []
    rows = []
    for balance in balances:
        sign = "=" if balance.adds_up else "≠"
        verdict = "✓" if balance.adds_up else _fault(balance)
        parts = [
            element("div", f"{count:,} {name}")
            for name, count in balance.parts.items()
            if count
        ]
        rows.append(
            element(
                "tr",
                element("th", balance.name),
                element("td", f"{balance.in_count:,}", class_="number"),
                element("td", sign),
                element("td", f"{balance.total:,}", class_="number"),
                element("td", *parts),
                element("td", verdict, class_="right" if balance.adds_up else "wrong"),
                class_=None if balance.adds_up else "wrong",
            )
        )
    head = ("What 项目", "In 输入", "", "Sum 合计", "Became 去向", "Adds up 平衡")
    return [element("h2", "Counts that add up 数量平衡"), _table(head, rows)]


def _outputs(facts: ReportFacts, buildings: Buildings, links: Links | None) -> list[Markup]:
    """List counts by kind, in columns."""
    counts: dict[str, Mapping[str, int]] = {
        "Height from 高度来源": _count(buildings.height_source, HEIGHT_SOURCES),
        "Ground from 地面来源": _count(buildings.ground_source, GROUND_SOURCES),
        "LoD reached 细节层次": _count(buildings.lod),
        "Method 建模方法": _count(buildings.method),
        "Fallback because 降级原因": _count(buildings.reason[buildings.reason != ""]),
    }
    if links is not None:
        counts["Links by rule 关联规则"] = _count(links.rule)
        counts["Unlinked because 未关联原因"] = _count(links.unlinked_reason)
    shown = [
        _listing(name, values)
        for name, values in (counts | dict(facts.outputs)).items()
        if values
    ]
    return [element("h2", "What came out 输出"), element("div", *shown, class_="columns")]


def _count(column: TextArray, order: Sequence[str] = ()) -> dict[str, int]:
    """Rows of each value: those of `order` first, then by name."""
    found = Counter(column.tolist())
    names = [*(name for name in order if name in found), *sorted(found.keys() - set(order))]
    return {name: found[name] for name in names}


def _issues(issues: Sequence[Issue], footprints: Footprints) -> list[Markup]:
    """Issues by severity and code, the first of each written out, and where they lie."""
    parts = [element("h2", "Issues 问题")]
    if not issues:
        return [*parts, element("p", "None 无")]
    for (severity, code), group in groupby(issues, key=lambda issue: issue[:2]):
        rows = list(group)
        parts.append(_issue_group(severity, code, rows))
    worst: dict[str, str] = {}
    for issue in issues:
        if issue.table in ("footprints", "buildings"):
            worst.setdefault(issue.id, issue.severity)
    if not worst.keys().isdisjoint(footprints.building_id.tolist()):
        severity_of = [worst.get(name, "none 无") for name in footprints.building_id.tolist()]
        plan = draw_plan(
            footprints,
            np.array(severity_of),
            title="Gravest issue of each building 建筑问题分布",
            colours=ISSUE_COLOURS,
        )
        parts.append(_figure(plan))
    return parts


def _issue_group(severity: str, code: str, issues: Sequence[Issue]) -> Markup:
    """One code: its count, open to its first examples."""
    rows = [
        element(
            "tr",
            element("td", issue.table),
            element("td", element("code", _cut(issue.id))),
            element("td", _cut(issue.message)),
        )
        for issue in issues[:EXAMPLES_MAX]
    ]
    left = len(issues) - len(rows)
    note = (
        [element("p", f"and {left:,} more in city.gpkg 其余见 city.gpkg", class_="note")]
        if left
        else []
    )
    return element(
        "details",
        element(
            "summary",
            element("b", severity, class_=severity),
            " ",
            element("code", code),
            f" × {len(issues):,}",
        ),
        _table(("Table 表", "Id 标识", "Message 说明"), rows),
        *note,
        open=True if severity == "ERROR" else None,
    )


def _inputs(inputs: Iterable[InputFile]) -> list[Markup]:
    """Files with size, fingerprint and counts."""
    rows = [
        element(
            "tr",
            element("td", _cut(file.name)),
            element("td", file.kind),
            element("td", f"{file.size_bytes:,}", class_="number"),
            element("td", element("code", file.sha256[:12])),
            element("td", ", ".join(f"{n:,} {name}" for name, n in file.counts.items())),
        )
        for file in inputs
    ]
    head = ("File 文件", "Kind 类型", "Bytes 字节", "SHA-256", "Holds 内容")
    return [element("h2", "What went in 输入"), _table(head, rows)] if rows else []


def _listing(title: str, values: Mapping[str, object]) -> Markup:
    """List names and values in a small table."""
    rows = [
        element(
            "tr",
            element("td", _cut(name) or "(empty 空)"),
            element("td", _shown(value), class_="number"),
        )
        for name, value in values.items()
    ]
    return element("div", element("h3", title), element("table", element("tbody", *rows)))


def _shown(value: object) -> str:
    """Write counts with thousands marks, and everything else as text."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if is_count else _cut(str(value))


def _table(head: Sequence[str], rows: Sequence[Markup]) -> Markup:
    """Make a table that scrolls sideways on a narrow screen."""
    titles = element("thead", element("tr", *(element("th", name) for name in head)))
    return element("div", element("table", titles, element("tbody", *rows)), class_="scroll")


def _figure(svg: Markup, kind: str | None = None) -> Markup:
    """Put a picture into a block of its own."""
    return element("figure", svg, class_=kind)


def _cut(text: str) -> str:
    """Shorten a text so that it fits into a cell."""
    if len(text) <= CELL_CHARACTERS_MAX:
        return text
    return f"{text[:CELL_CHARACTERS_MAX]}… ({len(text):,} characters)"
