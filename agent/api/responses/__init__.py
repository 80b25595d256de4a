"""Response models of the HTTP contract, version 1."""
