"""`pricesmith eval fairness`: prices by group, effects of protected attributes on prices, and probes for them."""
