"""Files in, tables out: the only place that trusts nothing."""
