"""Model versions on disk: metadata, hashes, activation, base weights, reproduction."""
