"""The pricing service: HTTP, pipeline, gateway, store, commands."""

import os

# Read by the OpenMP of torch and FAISS when they load: threads that spin at a barrier beside other work make a token of
# the language model ten times slower; threads that sleep cost nothing that a quote shows.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
