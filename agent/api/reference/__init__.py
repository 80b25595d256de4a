"""The reference page at `/schema`, which works without a network, and the OpenAPI document behind it."""

from agent.api.reference.routes import reference_routes

__all__ = ["reference_routes"]
