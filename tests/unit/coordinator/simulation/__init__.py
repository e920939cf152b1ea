"""
A cluster in virtual time: an API server, agents and coordinators in one thread, with no sleep and no socket.

What decides is the coordinator's own code, its loop included; only threads, connections and clocks are made up. The
same seed gives the same run.
"""
