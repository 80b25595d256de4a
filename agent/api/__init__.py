"""HTTP: handlers, request bodies, answers, batching, problem details."""
