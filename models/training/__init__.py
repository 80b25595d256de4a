"""Training of what Pricesmith ships."""
