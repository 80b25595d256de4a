"""Sentence encoder of behaviour and product texts, and its export to OpenVINO."""
