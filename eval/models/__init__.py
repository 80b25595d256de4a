"""`eval models`: all protocols of trained models in one run."""
