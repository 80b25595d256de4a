"""The pricing service: HTTP, pipeline, gateway, store, commands."""
