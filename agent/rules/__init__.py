"""Rules on prices: the merchant's versioned rules, the gateway, the law, protected attributes, the kill switch."""
