"""The strategist on situations it never met: regret and validity."""
