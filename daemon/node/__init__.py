"""
One node: brings the wanted images to it, keeps them there, and says how far it is.

The loop knows two things, `Wanted` in and `Report` out; where they come from and go to (manifests, an API server) is
standalone/'s and agent/'s. Decisions are pure (plan.py, transitions.py), effects are the loop's and its workers'.
"""
