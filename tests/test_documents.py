"""The documents say what is true: examples run, commands parse, names exist.

One mechanism for all pages. Of each fenced block the language says what it is: ``python`` is
run as a doctest, ``toml`` must be a job, and a block without a language holds commands. There
are no others. Pages below ``docs`` share one small city, made by the commands of
``docs/index.md``; each gets a copy to work in.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
import typer

from cimkit.cli.main import app
from cimkit.errors import CimkitError
from cimkit.job import Job
from cimkit.tables.issue import SEVERITIES
from tests.conftest import ROOT

FILES = (
    *sorted(ROOT.glob("README*.md")),
    ROOT / "CHANGES.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
PAGES = {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in FILES}
README, CHINESE = PAGES["README.md"], PAGES["README.zh.md"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COMMANDS: Any = typer.main.get_command(app)
PROGRAMS = {"make", "sudo", "python3.11", ".venv/bin/pip", "cut", "cp", "rm"}
"""Programs besides cimkit that a page may call."""

CODE = re.compile(r"[A-Z]{2,}(_[A-Z0-9]+)+")
FOREIGN = ("CIMKIT_", "NUMBA_", "OGR_", "GDAL_", "XDG_", "SC_", "EMPTY_DIR")
"""Beginnings of capitals that are settings of libraries and of the system."""


def fences(text, language):
    """Contents of the fenced blocks of one language ("" for none)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [content for kind, content in found if kind == language]


def pages_with(language):
    return sorted(page for page, text in PAGES.items() if fences(text, language))


def command_lines(text):
    """Lines of the blocks of commands, continued lines joined, each command of a pipe."""
    joined = "".join(fences(text, "")).replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip()]
    return [" ".join(part.split()) for line in lines for part in line.split(" | ")]


def parse(command, arguments):
    """Parse arguments as the command line would, down to the last subcommand."""
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    return command.make_context(command.name, list(arguments))


def resolve(name):
    """The object of a dotted name."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            thing = getattr(thing, part)
        return thing
    raise ModuleNotFoundError(name)


def table_rows(text, heading):
    """Cells of the rows of the first table below a heading, without its head."""
    below = text.split(f"\n{heading}\n")[1]
    rows = re.findall(r"^\|.*(?:\n\|.*)+", below, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def run_examples(page):
    """Run the Python of a page in the present folder; what went wrong, as text."""
    source = "".join(fences(PAGES[page], "python"))
    case = doctest.DocTestParser().get_doctest(source, {}, page, page, 0)
    assert case.examples, f"{page}: Python without >>>"
    said: list[str] = []
    doctest.DocTestRunner().run(case, out=said.append)
    return "".join(said)


@pytest.fixture(scope="session")
def small_city(tmp_path_factory):
    """The folder that the commands of the first page leave."""
    folder = tmp_path_factory.mktemp("documents")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in command_lines(PAGES["docs/index.md"]):
            if re.match(r"cimkit (sample|build) ", line):
                COMMANDS.main(shlex.split(line)[1:], standalone_mode=False)
    return folder


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_runs(page, tmp_path, monkeypatch, request):
    folder = tmp_path / "here"
    if page.startswith("docs/"):
        shutil.copytree(request.getfixturevalue("small_city"), folder)
    else:
        folder.mkdir()
    monkeypatch.chdir(folder)
    said = run_examples(page)
    assert not said, said
    if page == "README.md":
        drawn = (folder / "white_models.svg").read_text(encoding="utf-8")
        shown = (ROOT / "docs" / "white_models.svg").read_text(encoding="utf-8")
        assert drawn == shown, f"the picture is old: copy {folder}/white_models.svg to docs/"


@pytest.mark.parametrize("page", pages_with(""))
def test_commands_parse(page):
    for line in command_lines(PAGES[page]):
        program, *arguments = shlex.split(line, comments=True)
        if program.removeprefix(".venv/bin/") == "cimkit":
            parse(COMMANDS, arguments)
        else:
            assert program in PROGRAMS, line


@pytest.mark.parametrize(
    "line", ["build city --geoid a.tif", "code parse", "code count uic21", "buidl city"]
)
def test_a_command_that_does_not_exist_would_be_noticed(line):
    with pytest.raises(Exception, match=r"No such option|Missing|count|buidl"):
        parse(COMMANDS, line.split())


@pytest.mark.parametrize("page", pages_with("toml"))
def test_job_files_are_accepted(page):
    least = {"footprints": "a.gpkg", "crs": "EPSG:4546+5737"}
    for text in fences(PAGES[page], "toml"):
        Job.from_mapping(least | tomllib.loads(text))


def test_no_block_is_left_out():
    known = ("", "python", "toml")
    for page, text in PAGES.items():
        n = sum(len(fences(text, language)) for language in known)
        assert text.count("\n```") == 2 * n, f"{page}: a block of another language"


def test_the_readme_names_what_a_build_leaves():
    table = README.split("### What a build leaves")[1].split("## From Python")[0]
    named = set(re.findall(r"`city/(\S+?)/?`", table))
    written = {"report.html", "city.gpkg", "models.city.jsonl", "terrain.tif"}
    assert named == written | {"tiles", "manifest.json", "run.json"}


def test_the_page_of_the_city_folder_names_all_files_and_columns(small_city):
    import pyogrio

    page, city = PAGES["docs/city_folder.md"], small_city / "city"
    names = {path.name for path in city.iterdir()} | {"city.register.gpkg"}
    assert {row[0].strip("`/") for row in table_rows(page, "## Files")} == names
    for layer in ("buildings", "addresses", "links", "issues"):
        fields = pyogrio.read_info(city / "city.gpkg", layer=layer)["fields"].tolist()
        rows = table_rows(page, f"### Layer `{layer}`")
        assert [name for row in rows for name in re.findall(r"`(\w+)`", row[0])] == fields


def test_the_chinese_readme_has_the_same_commands():
    ours, theirs = command_lines(CHINESE), command_lines(README)
    assert ours
    assert [line for line in theirs if line in ours] == ours


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "docs/errors.md"])
def test_exit_codes_are_all_there(page):
    said = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGES[page], re.MULTILINE)}
    raised = {kind.exit_code for kind in (CimkitError, *all_subclasses(CimkitError))}
    assert raised | {0, 130} <= said


def all_subclasses(kind):
    below = set(kind.__subclasses__())
    return below.union(*map(all_subclasses, below))


def strings_of(node):
    """The parts of a call or a tuple, those that are no text as None."""
    parts = node.args if isinstance(node, ast.Call) else node.elts
    return [part.value if isinstance(part, ast.Constant) else None for part in parts]


def issue_codes():
    """Capitals in the source that can be codes, each with the severities beside it."""
    found = defaultdict[str, set[str]](set)
    for path in sorted((ROOT / "cimkit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if CODE.fullmatch(node.value) and not node.value.startswith(FOREIGN):
                    _ = found[node.value]
            elif isinstance(node, (ast.Call, ast.Tuple)):
                parts = strings_of(node)
                for severity, code in pairwise(parts):
                    if severity in SEVERITIES and code not in (None, *SEVERITIES):
                        found[code].add(severity)
    return found


def test_the_page_of_issues_lists_all_codes():
    page = PAGES["docs/issues.md"]
    listed = {
        row[0].strip("`"): set(row[1].split(", "))
        for heading in ("## Of a build", "## Of a check")
        for row in table_rows(page, heading)
    }
    words = table_rows(page, "## Words that are no codes")
    reasons = {word for row in words for word in re.findall(r"`(\w+)`", row[0])}
    found = issue_codes()
    assert not set(listed) - set(found), "codes that no longer exist"
    assert not set(found) - set(listed) - reasons, "codes that are not listed"
    for code, severities in found.items():
        assert severities <= listed.get(code, severities), code


def test_all_keys_of_a_job_are_on_the_page_of_the_command_line():
    page = PAGES["docs/command_line.md"]
    listed = [
        name
        for row in table_rows(page, "## The job file")
        for name in re.findall(r"`(\w+)`", row[0])
    ]
    assert sorted(listed) == sorted(Job.__dataclass_fields__)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_paths_exist(page):
    quoted = re.findall(r"`((?:cimkit|tests|docs|benchmarks|notebooks)/[\w./]*)`", PAGES[page])
    linked = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGES[page])
    here = (ROOT / page).parent
    missing = [p for p in quoted if not (ROOT / p).exists()]
    missing += [p for p in linked if "://" not in p and not (here / p).exists()]
    assert not missing


@pytest.mark.parametrize("page", sorted(PAGES))
def test_names_exist(page):
    names = set(re.findall(r"`(cimkit(?:\.\w+)+)`|^::: (\S+)", PAGES[page], re.MULTILINE))
    assert len(names) > 20 or page != "docs/architecture.md"
    for name in sorted("".join(pair) for pair in names):
        if not name.endswith(".toml"):
            resolve(name)


def test_make_targets_exist():
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    text = "".join(PAGES.values())
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE))
    assert {"demo", "test", "bench", "docs", "wheelhouse"} <= named <= targets


def test_make_wheelhouse_prints_the_lines_of_the_page():
    printed = re.findall(r"^\t@echo ['\"](.*)['\"]$", MAKEFILE, re.MULTILINE)
    lines = [line for line in command_lines(PAGES["docs/offline.md"]) if "wheelhouse" in line]
    install = [line for line in lines if line.startswith(".venv/bin/pip install")]
    assert len(install) == 1
    assert install[0] in {line.strip() for line in printed}


def test_ci_finds_the_packages():
    lines = [line for line in README.splitlines() if line.startswith("sudo apt-get install ")]
    demo, tests = (set(line.split()[3:]) for line in lines)  # for `make demo`, for `make test`
    assert {"make", "npm"} <= demo
    assert {"chromium", "postgresql"} <= tests


@pytest.mark.skipif(
    not importlib.util.find_spec("mkdocs") and not os.environ.get("CIMKIT_REQUIRE_ALL"),
    reason="mkdocs is not installed: pip install cimkit[docs]",
)
def test_the_site_is_built_and_asks_for_nothing_outside(tmp_path):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= len(list((ROOT / "docs").rglob("*.md")))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="([^"]+)"', text)
        assert not [address for address in fetched if "//" in address], page.name


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_run(notebook, tmp_path):
    script = (
        "import sys, nbclient, nbformat\n"
        "book = nbformat.read(sys.argv[1], as_version=4)\n"
        "nbclient.NotebookClient(book, timeout=300, kernel_name='python3').execute()\n"
    )
    own = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path / "ipython")}
    made = subprocess.run(
        [sys.executable, "-c", script, str(notebook)],
        cwd=tmp_path,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
