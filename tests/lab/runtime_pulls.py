"""What the tests of daemon/runtime share: a connection to the lab's containerd, and a pull that is followed."""

import time

from daemon.runtime.errors import CriError
from daemon.runtime.interface import Downloads, Follower, ImageRuntime, Progress, PullCall, PullRequest


ROLE = "agent"
SAMPLE_SECONDS = 0.1
PULL_SECONDS = 60.0


class FollowedPull:
    """A pull inside its hold, as a worker runs it; `samples` are what was seen on the way."""

    def __init__(self, runtime: ImageRuntime, image: str) -> None:
        self.follower: Follower = downloads_of(runtime).follow(image, role=ROLE)
        self.call: PullCall = runtime.pull(PullRequest(image=image))
        self.samples: list[Progress] = []

    def sample(self) -> Progress:
        """Look once."""
        progress = self.follower.sample()
        assert progress is not None
        self.samples.append(progress)
        return progress

    def wait(self) -> str:
        """Look again and again until the pull has ended; return the image's ID or raise what it ended with."""
        deadline = time.monotonic() + PULL_SECONDS
        try:
            while time.monotonic() < deadline:
                try:
                    return self.call.result(timeout_seconds=SAMPLE_SECONDS)
                except TimeoutError:
                    self.sample()
            raise AssertionError("the pull never ended")
        finally:
            self.follower.close()

    def failure(self) -> CriError:
        """Wait for the end and return the error that it must be."""
        try:
            self.wait()
        except CriError as error:
            return error
        raise AssertionError("the pull did not fail")

    def until_bytes(self, count: int) -> Progress:
        """Look until so many bytes are there."""
        deadline = time.monotonic() + PULL_SECONDS
        while time.monotonic() < deadline:
            try:
                self.call.result(timeout_seconds=SAMPLE_SECONDS)
            except TimeoutError:
                progress = self.sample()
                if progress.bytes_done >= count:
                    return progress
            else:
                raise AssertionError(f"the pull ended before {count} bytes were seen")
        raise AssertionError(f"{count} bytes never came")


def downloads_of(runtime: ImageRuntime) -> Downloads:
    """Return what containerd adds, which must be there."""
    downloads = runtime.downloads
    assert downloads is not None
    return downloads
