"""Speed: quotes over HTTP, scoring, learning."""
