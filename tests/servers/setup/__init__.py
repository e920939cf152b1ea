"""
Brings what a machine lacks: Python packages, Debian packages unpacked, Go programs built.

Runs before there is a virtual environment, so it uses the standard library alone. It writes to the cache folder and
to .venv only: nothing is installed, started, enabled or removed on the machine.
"""
