"""Model registry: versions on disk with metadata and hashes, activation, base weights, reproduction checks."""
