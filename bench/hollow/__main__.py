"""
`python -m bench.hollow`: hollow nodes as a process of their own, until SIGTERM.

It prints one line when every node is known; with --starts it writes each pull's start into a file when it ends.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.hollow.nodes import HollowNodes
from bench.hollow.pulls import Failing, pulls_of
from bench.hollow.senders import CONNECTIONS
from daemon.cluster.kubeconfig import read_kubeconfig


READY: Final = "hollow nodes are there"


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer for the nodes until a signal."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    nodes = HollowNodes(
        read_kubeconfig(options.kubeconfig),
        nodes=options.nodes,
        pulls=pulls_of(seconds=options.pull_seconds, failing=options.failing, silent=options.silent),
        is_announced=not options.unannounced,
        api_version=options.api_version,
        connections=options.connections,
    )
    try:
        with nodes:
            nodes.is_synced.wait()
            print(READY, flush=True)
            signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        if options.starts is not None:
            options.starts.write_bytes(msgspec.json.Encoder().encode_lines(nodes.starts))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.hollow")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of an account that may write any status")
    parser.add_argument("--nodes", default="*", help="a pattern of names: whose agents these are")
    parser.add_argument("--pull-seconds", type=float, default=0.0, help="how long a pull lasts")
    parser.add_argument("--failing", type=_failing, action="append", default=[], metavar="PATTERN=REASON")
    parser.add_argument("--silent", action="append", default=[], metavar="PATTERN", help="nodes that say nothing")
    parser.add_argument("--unannounced", action="store_true", help="say nothing before the first entry is there")
    parser.add_argument("--api-version", default="v1beta1")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--starts", type=Path, help="a file for the start of each pull, as lines of JSON")
    return parser


def _failing(text: str) -> Failing:
    nodes, equals, reason = text.partition("=")
    if not (nodes and equals and reason):
        raise argparse.ArgumentTypeError(f"{text!r} is not PATTERN=REASON")
    return Failing(nodes=nodes, reason=reason)


if __name__ == "__main__":
    sys.exit(main())
