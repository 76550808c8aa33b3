"""``python -m cimkit``."""

from cimkit.cli import main

if __name__ == "__main__":
    main()
