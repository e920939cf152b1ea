"""
What operators see of a running process: logs, and later metrics, health and state.

The only place that configures logging.
"""
