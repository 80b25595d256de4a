"""The pricing service, in rooms that import downwards from commands and HTTP to the domain types."""

import os

# Read by the OpenMP of torch and FAISS when they load. Threads that spin at a barrier beside other work make a token of
# the language model ten times slower; threads that sleep cost a quote nothing measurable.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
