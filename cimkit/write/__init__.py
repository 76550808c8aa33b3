"""Tables in, files out; knows nothing of how the tables came about."""
