"""`pricesmith eval fairness`: who pays what, whether protected attributes can move a price, and whether they show."""
