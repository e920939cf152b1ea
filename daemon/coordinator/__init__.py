"""
The cluster's half: from an ImagePullJob to a tag entry on each node that it selects, and back to the job's status.

One of several coordinators leads. What it decides is pure (standing, turns, entry, plan, tally); fleet.py holds what is
known, loop.py acts on it. What a node does with its entries is the agent's.
"""
