"""Purchase probability, profit and satisfaction at a price, with intervals; what a price is worth."""
