"""The strategist: strategies, its prompt's facts and numbers, constrained decoding."""
