"""HTTP: handlers, request and response schemas, batching, errors as problem details."""
