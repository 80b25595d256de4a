"""Progress callback of long-running work."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with the name of the current stage and its completed share, 0-1."""
