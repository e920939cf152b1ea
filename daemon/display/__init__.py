"""
What a person or a program sees of a run: live bars on a terminal, plain lines, or a JSON line an event in a pipe.

events.py turns changes of state into events and is pure; the rest only writes them.
"""
