"""Measures what the documents state: one module a figure, against real runtimes and registries of its own."""
