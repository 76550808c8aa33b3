"""City base models: singulate, reconstruct, code, link and tile buildings."""

__version__ = "0.1.0"
