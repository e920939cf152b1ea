"""
`coordinator-growth`: how much more a coordinator does for an event when it knows ten times as many nodes.

Counted, not timed: the lines of Python that are executed for an event, over a hundred jobs on a thousand nodes, beside
a hundred jobs on a hundred nodes. Each event is a node's answer to a renewed entry; with it goes all that the
coordinator then decides to write. Time passes as in life: ten times as many nodes answer in the same time.

`coordinator-memory-1000` and `-5000`: the anonymous memory (RssAnon) of a coordinator that has brought ten images to so
many hollow nodes, at rest.
"""
