"""
What a person asks of a cluster: `prewarm status`, and the two words that stop and start it, `suspend` and `resume`.

Objects become documents (jobs.py, standings.py, nodeimages.py) and documents become pages of text, all of it pure. What
is read, and where it is shown, stands around that.
"""
