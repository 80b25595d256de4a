"""own_store."""
