"""What the kernel says of a container means the same in both versions of its cgroups."""

from pathlib import Path

import pytest

from bench.cgroup import MIB, ContainerCgroup, Sample, forget_pages, sample_of


FIRST_STAT = f"cache 9\nrss 1\ninactive_file 1\ntotal_rss {20 * MIB}\ntotal_inactive_file {5 * MIB}\n"
SECOND_STAT = f"anon {20 * MIB}\nfile 9\ninactive_file {5 * MIB}\n"
EXPECTED = Sample(working_set_mib=25.0, anon_mib=20.0, cpu_seconds=1.5)


def test_the_first_version_counts_all_below() -> None:
    """The totals have the folders below in them too, as the usage has."""
    assert EXPECTED == sample_of(usage=f"{30 * MIB}\n", memory_stat=FIRST_STAT, cpu="1500000000\n")


def test_the_second_version_has_other_names() -> None:
    """Processor time is in microseconds there, in a table."""
    cpu = "usage_usec 1500000\nuser_usec 1\n"

    assert EXPECTED == sample_of(usage=f"{30 * MIB}\n", memory_stat=SECOND_STAT, cpu=cpu)


def test_a_working_set_is_never_negative() -> None:
    """The two counters are not read at one moment."""
    assert 0 == sample_of(usage="1", memory_stat=FIRST_STAT, cpu="0").working_set_mib


@pytest.mark.parametrize(
    ("files", "cpu"),
    [
        ({"memory.usage_in_bytes": f"{30 * MIB}", "memory.stat": FIRST_STAT}, {"cpuacct.usage": "1500000000"}),
        ({"memory.current": f"{30 * MIB}", "memory.stat": SECOND_STAT}, {"cpu.stat": "usage_usec 1500000"}),
    ],
    ids=["v1", "v2"],
)
def test_a_container_is_found_wherever_its_runtime_puts_it(
    tmp_path: Path, files: dict[str, str], cpu: dict[str, str]
) -> None:
    """By its ID alone."""
    for hierarchy, content in (("memory", files), ("cpu", cpu)):
        folder = tmp_path / hierarchy / "k8s.io/abc"
        folder.mkdir(parents=True)
        for name, text in content.items():
            (folder / name).write_text(text)

    assert EXPECTED == ContainerCgroup.below(tmp_path / "memory", "abc", cpu=tmp_path / "cpu").sample()


def test_a_container_that_does_not_run_is_told(tmp_path: Path) -> None:
    """Not taken for one that uses nothing."""
    with pytest.raises(FileNotFoundError, match="no cgroup of container abc"):
        ContainerCgroup.below(tmp_path, "abc", cpu=tmp_path)


def test_pages_are_forgotten_and_files_stay(tmp_path: Path) -> None:
    """Links that lead nowhere are passed over."""
    (tmp_path / "a").write_text("kept")
    (tmp_path / "link").symlink_to("nowhere")

    forget_pages(tmp_path)

    assert "kept" == (tmp_path / "a").read_text()
