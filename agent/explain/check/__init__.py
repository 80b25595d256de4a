"""The checker: every number, direction, reason and name of a text against the facts; shares no code with writers."""

from agent.explain.check.checker import Report, check

__all__ = ["Report", "check"]
