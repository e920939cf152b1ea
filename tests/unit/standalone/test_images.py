"""What is said of names that --image can't take."""

import pytest

from daemon.config import RunSettings
from daemon.standalone.command import run


@pytest.mark.parametrize("image", ["https://puller:s3cret@host/a", "puller:s3cret@host/a:b", "puller:p@s3cret@host/a"])
def test_a_password_in_a_name_is_not_repeated(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error ends in logs."""
    code = run(RunSettings(images=(image,)))

    assert 2 == code
    assert "s3cret" not in capsys.readouterr().err


def test_a_bad_name_is_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """With what is wrong."""
    code = run(RunSettings(images=("Base",)))

    assert 2 == code
    assert '--image: Invalid value: "Base": ' in capsys.readouterr().err
