"""
The custom resources of group apps.kruise.io as values: parse, default, validate, serialise.

No I/O here: reading files belongs to manifests.py, the API server to cluster/.
"""
