"""The merchant's rules: versioned documents, scheduled, approved, rolled back, and what holds for one product."""
