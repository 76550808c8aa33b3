"""Building codes and location codes: pure functions, no files, no state."""
