"""State in memory that can be rebuilt from the store: indexes, shopper histories, learner, caches."""
