"""Lets `python -m daemon` be `prewarm`."""

import sys

from daemon.cli import main


sys.exit(main())
