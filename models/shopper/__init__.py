"""Shopper and product features: histories, weekly facts, behaviour texts, affinity, interest and ranking."""
