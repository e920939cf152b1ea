"""
The peer: a client that does nothing but PullImage, over generated stubs and a plain channel that is already connected.

It runs in a process of its own, so that nothing of ours helps or hurts it, and prints the seconds from its first call
to its last end: `python -m bench.bare [--clients N] [--until-there] ENDPOINT IMAGE...`.
"""

import argparse
import queue
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from bench.stage import checked, environment
from daemon.runtime.wire import cri_pb2, cri_pb2_grpc


PULL_TIMEOUT_SECONDS = 600.0
CONNECT_TIMEOUT_SECONDS = 10.0
# Between two calls of a client that pulls until the image is there, as a person's shell loop would wait.
PAUSE_SECONDS = 1.0


def command(endpoint: str, images: Sequence[str], *, clients: int = 1, is_retried: bool = False) -> list[str]:
    """Return the command that pulls images, each once, with so many clients taking turns."""
    options = ["--clients", str(clients), *(["--until-there"] if is_retried else [])]
    return [sys.executable, "-m", "bench.bare", *options, endpoint, *images]


def seconds(endpoint: str, images: Sequence[str], *, folder: Path, clients: int = 1) -> float:
    """Run the client and return what it measured."""
    done = subprocess.run(
        command(endpoint, images, clients=clients),
        check=False,
        capture_output=True,
        text=True,
        timeout=PULL_TIMEOUT_SECONDS,
        env=environment(folder),
    )
    return float(checked(done))


def main(arguments: Sequence[str] | None = None) -> int:
    """Connect all clients, let them share the images, and print the seconds."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--until-there", action="store_true")
    parser.add_argument("endpoint")
    parser.add_argument("images", nargs="+")
    options = parser.parse_args(arguments)
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for image in options.images:
        waiting.put(image)
    services = [_connected(options.endpoint) for _ in range(options.clients)]
    began = time.monotonic()
    with ThreadPoolExecutor(options.clients) as threads:
        for client in [threads.submit(_drain, one, waiting, is_retried=options.until_there) for one in services]:
            client.result()
    print(time.monotonic() - began)
    return 0


def _connected(endpoint: str) -> cri_pb2_grpc.ImageServiceStub:
    # Without this option equal channels of one process share one connection, and clients are told apart by theirs.
    channel = grpc.insecure_channel(endpoint, options=(("grpc.use_local_subchannel_pool", 1),))
    service = cri_pb2_grpc.ImageServiceStub(channel)
    service.ListImages(cri_pb2.ListImagesRequest(), timeout=CONNECT_TIMEOUT_SECONDS, wait_for_ready=True)
    return service


def _drain(service: cri_pb2_grpc.ImageServiceStub, waiting: "queue.SimpleQueue[str]", *, is_retried: bool) -> None:
    while True:
        try:
            image = waiting.get_nowait()
        except queue.Empty:
            return
        request = cri_pb2.PullImageRequest(image=cri_pb2.ImageSpec(image=image))
        while not _pulled(service, request, is_retried=is_retried):
            time.sleep(PAUSE_SECONDS)


def _pulled(service: cri_pb2_grpc.ImageServiceStub, request: cri_pb2.PullImageRequest, *, is_retried: bool) -> bool:
    try:
        service.PullImage(request, timeout=PULL_TIMEOUT_SECONDS)
    except grpc.RpcError:
        if not is_retried:
            raise
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
