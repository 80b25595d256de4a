"""What becomes of the service when it is killed, flooded with nonsense, or kept busy for an hour."""
