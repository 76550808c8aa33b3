"""Chinese addresses as text."""
