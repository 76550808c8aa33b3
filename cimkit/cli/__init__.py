"""The command line: each command a file of its own, each of them one call of the library.

Results go to stdout, progress and errors to stderr. Nothing heavy is imported before a command
runs, so that ``cimkit --help`` answers at once.
"""

from cimkit.cli.main import main

__all__ = ["main"]
