"""Questions about prices to checked answers."""
