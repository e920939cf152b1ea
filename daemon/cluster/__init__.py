"""
Everything that touches the API server: one HTTP transport, lists and watches, guarded patches, events.

It knows resources as decoded JSON. What they mean is api/'s, what to do about them agent/'s.
"""
