"""
`prewarm run`: manifests in, progress out, with no API server.

It stands in for the coordinator (wishes.py) and for the API server (run.py hands wishes to the node loop directly); the
engine below is the agent's.
"""

from daemon.standalone.command import run


__all__ = ["run"]
