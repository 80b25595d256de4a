"""The sentence encoder of behaviour and products, and its export to the fast runtime."""
