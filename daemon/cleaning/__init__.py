"""
`prewarm clean`: takes off a node's runtime what Prewarm keeps there, once Prewarm itself is gone or is to go.

That is the leases of held downloads, and nothing else: images stay, and nothing of ours is anywhere else on a node.
"""

from daemon.cleaning.command import clean


__all__ = ["clean"]
