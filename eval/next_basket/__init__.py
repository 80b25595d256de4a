"""next_basket."""
