"""
`prewarm agent`: one node's NodeImage in, its status out; a DaemonSet runs one on each node.

The engine below is the one of `prewarm run`. The watch, the status and the secrets are here; HTTP is cluster/'s.
"""
