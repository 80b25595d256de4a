"""The seven steps from requests to recorded decisions, and counterfactuals over them."""
