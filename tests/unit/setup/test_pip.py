"""What an image build is told of the person's pip is what says where packages come from, and no more."""

from pathlib import Path

import pytest

from tests.servers.setup import pip


def test_settings_come_from_files_and_the_environment_over_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index of a file is there, a variable beats it, and what has nothing to do with sources is left out."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://index.test/simple\nretries = 1\n[install]\ncompile = no\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_RETRIES", "7")

    found = pip.settings()

    assert "https://index.test/simple" == found["index-url"]
    assert "7" == found["retries"]
    assert "compile" not in found


def test_certificates_are_pip_s_own_before_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named file that is not there is passed over."""
    ours, others = tmp_path / "ours.crt", tmp_path / "others.crt"
    others.touch()
    monkeypatch.setenv("PIP_CERT", str(ours))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(others))

    without = pip.certificates()
    ours.touch()

    assert others == without
    assert ours == pip.certificates()
