"""Purchase probability and satisfaction at a price with intervals, and the merchant's utility of a price."""
