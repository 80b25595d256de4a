"""Training of new model versions, from demo data or a store's own outcomes, and their promotion."""
