"""strategist."""
