"""Checks of an installation: what is wrong with it, and how to repair it."""
