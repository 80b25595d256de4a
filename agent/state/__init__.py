"""Rebuildable memory: indexes, shopper histories, learners, caches."""
