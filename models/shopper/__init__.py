"""shopper."""
