"""Answers of the HTTP contract."""
