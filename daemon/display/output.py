"""What can happen to the stream that events are shown on: its disk is full, its terminal has gone."""


class OutputLost(Exception):
    """Standard output can't be written any more; the text says why."""
