"""
What `prewarm check` tells of a cluster: who serves ImagePullJobs there, beside whom, and what to do about it.

Which combination it is, and the two questions that tell (who renews OpenKruise's Lease, what becomes of a job) are
beside/'s. Here everything else is read (reading.py), and all of it made a document and a report.
"""
