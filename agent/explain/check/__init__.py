"""The checker: every number, direction, reason and name of a text against the facts, by code of its own."""

from agent.explain.check.checker import Report, check

__all__ = ["Report", "check"]
