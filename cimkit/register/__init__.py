"""The permanent register of building codes, which outlives every build."""
