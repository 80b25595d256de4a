"""Shopper and product features: histories, weekly facts, behaviour text, affinity, interest, ranking."""
