"""README and architecture page say what is true: examples run, commands parse, names exist."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import tomllib
from typing import Any

import pytest
import typer

from cimkit.cli.main import app
from cimkit.job import Job
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CHANGES.md", ROOT / "docs" / "architecture.md")
}
COMMANDS: Any = typer.main.get_command(app)


def fences(text, language):
    """Contents of the fenced blocks of one language ("" for none)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [content for kind, content in found if kind == language]


def command_lines():
    """Lines of the README that call cimkit, continuation lines joined."""
    text = "".join(fences(README, "")).replace("\\\n", " ")
    found = [line for line in text.splitlines() if re.match(r"(\S*/)?cimkit ", line)]
    assert len(found) > 5
    return found


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


def test_python_of_the_readme_runs_and_draws_its_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = "".join(fences(README, "python"))
    case = doctest.DocTestParser().get_doctest(source, {}, "README.md", "README.md", 0)
    assert len(case.examples) > 20
    said: list[str] = []
    doctest.DocTestRunner().run(case, out=said.append)
    assert not said, "".join(said)
    drawn = (tmp_path / "white_models.svg").read_text(encoding="utf-8")
    shown = (ROOT / "docs" / "white_models.svg").read_text(encoding="utf-8")
    assert drawn == shown, f"the picture is old: copy {tmp_path}/white_models.svg to docs/"


@pytest.mark.parametrize("line", command_lines())
def test_commands_of_the_readme_parse(line):
    name, *arguments = shlex.split(line, comments=True)[1:]
    COMMANDS.commands[name].make_context(name, arguments)


def test_a_flag_that_does_not_exist_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        COMMANDS.commands["build"].make_context("build", ["city", "--geoid", "a.tif"])


def test_the_job_file_of_the_readme_is_accepted():
    (text,) = fences(README, "toml")
    assert Job.from_mapping(tomllib.loads(text)).undulation == -15.2


def test_the_readme_names_what_a_build_leaves():
    table = README.split("### What a build leaves")[1].split("## From Python")[0]
    named = set(re.findall(r"`city/(\S+?)/?`", table))
    written = {"report.html", "city.gpkg", "models.city.jsonl", "terrain.tif"}
    assert named == written | {"tiles", "manifest.json", "run.json"}


def test_ci_finds_the_packages():
    lines = [line for line in README.splitlines() if line.startswith("sudo apt-get install ")]
    assert len(lines) == 1


@pytest.mark.parametrize("page", sorted(PAGES))
def test_paths_exist(page):
    quoted = re.findall(r"`((?:cimkit|tests|docs|benchmarks)/[\w./]*)`", PAGES[page])
    linked = re.findall(r"\]\(([^)#]+)\)", PAGES[page])
    here = (ROOT / page).parent
    missing = [p for p in quoted if not (ROOT / p).exists()]
    missing += [p for p in linked if "://" not in p and not (here / p).exists()]
    assert not missing


@pytest.mark.parametrize("page", sorted(PAGES))
def test_names_exist(page):
    names = set(re.findall(r"`(cimkit(?:\.\w+)+)`", PAGES[page]))
    assert len(names) > 20 or page != "docs/architecture.md"
    for name in sorted(names):
        resolve(name)


def test_make_targets_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (\w+)", "".join(PAGES.values()), re.MULTILINE))
    assert {"demo", "test", "bench"} <= named <= targets
