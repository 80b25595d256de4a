"""API keys, quote tokens, signing keys, rate limits."""
