"""Builds the page of the viewer with npm where it can; all else stands in pyproject.toml."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

NPM_SECONDS = 600
"""A registry that does not answer must not keep the installation waiting."""

VIEW = Path(__file__).parent / "cimkit" / "view"


def build_page() -> None:
    """Run npm; without it, or where it fails, the package installs all the same."""
    npm = shutil.which("npm")
    if npm is None:
        print("cimkit: npm is not there, so the page of the viewer is not built", file=sys.stderr)
        return
    for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        try:
            subprocess.run(
                [npm, *command],
                cwd=VIEW,
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=NPM_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            print(f"cimkit: the page of the viewer is not built ({error})", file=sys.stderr)
            return


class BuildWithPage(build_py):
    """Copies the modules, after the page was built beside its source."""

    def run(self) -> None:
        """Build."""
        build_page()
        super().run()


setup(cmdclass={"build_py": BuildWithPage})
