"""Versioned prompts as data, and their strict loader."""
