"""Public data sets, read from their packages."""
