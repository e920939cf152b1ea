"""A token file is read when it is due; what is no token is named by its file and never repeated."""

from pathlib import Path

import pytest

from daemon.cluster.errors import Unauthenticated
from daemon.cluster.tokens import FileToken
from tests.unit.cluster.clock import SetClock


SENTINEL = "s3cr3t-s3ntin3l"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A token file."""
    path = tmp_path / "token"
    path.write_text("first")
    return path


def test_a_token_is_kept_for_a_minute(file: Path) -> None:
    """Within a minute the file is not read again; after it, a new token is used."""
    clock = SetClock()
    token = FileToken(file, clock=clock)
    before = token(anew=False)
    file.write_text("second")

    clock.seconds += 59
    within = token(anew=False)
    clock.seconds += 1
    after = token(anew=False)

    assert ["first", "first", "second"] == [before, within, after]


def test_a_token_is_read_anew_when_asked(file: Path) -> None:
    """A refused token is looked up at once."""
    token = FileToken(file, clock=SetClock())
    token(anew=False)
    file.write_text("second")

    assert "second" == token(anew=True)


@pytest.mark.parametrize("content", [b"first\n", b"\r\n first \n\n", b"\tfirst"])
def test_white_space_around_a_token_is_not_part_of_it(file: Path, content: bytes) -> None:
    """A trailing newline would break the header, and the error would quote it."""
    file.write_bytes(content)

    assert "first" == FileToken(file)(anew=False)


BAD = [
    b"",
    b"\n",
    f"{SENTINEL}\0".encode(),
    f"{SENTINEL}\nX: y".encode(),
    f"{SENTINEL} two".encode(),
    f"{SENTINEL}\u00e9".encode(),
    b"\xff" + SENTINEL.encode(),
    SENTINEL.encode() * 10_000,
]


@pytest.mark.parametrize("content", BAD)
def test_what_is_no_token_is_refused_without_being_repeated(file: Path, content: bytes) -> None:
    """NUL, lines, spaces, other alphabets, endless files: the message names the file alone."""
    file.write_bytes(content)

    with pytest.raises(Unauthenticated) as caught:
        FileToken(file)(anew=False)

    assert str(file) in caught.value.message
    assert SENTINEL not in caught.value.message


@pytest.mark.parametrize("content", [*BAD, None])
def test_a_token_is_kept_on_while_its_file_is_bad(file: Path, content: bytes | None) -> None:
    """A file that is away or broken for a while does not take away what is most likely still good."""
    clock = SetClock()
    token = FileToken(file, clock=clock)
    token(anew=False)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)

    clock.seconds += 61

    assert "first" == token(anew=False)
    assert "first" == token(anew=True)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Without an earlier token there is none to use."""
    with pytest.raises(Unauthenticated, match=r"token: No such file"):
        FileToken(tmp_path / "token")(anew=False)
