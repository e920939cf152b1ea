"""
Who else serves ImagePullJobs in a cluster: whether OpenKruise's manager does, and what its webhooks make of a job.

The coordinator stands aside by it, and `prewarm check` tells it. Whether a node has two daemons is the agent's to see.
"""
