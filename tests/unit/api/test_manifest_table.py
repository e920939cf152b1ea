"""Our rules against the table of good and bad manifests."""

import pytest

from daemon.api.manifest import Manifests, parse_manifests
from daemon.api.objects import Resource
from tests.manifests.table import Case, cases


CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.topic}/{case.name}")
def test_each_manifest_of_the_table_gets_exactly_its_errors_and_warnings(case: Case) -> None:
    """Every mistake of a manifest is named, each once, in the words of the table, and nothing else."""
    found = parse_manifests(case.text, source="table")

    assert sorted(case.errors) == sorted(problem.text for problem in found.errors)
    assert sorted(case.warnings) == sorted(problem.text for problem in found.problems if problem.is_warning)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.topic}/{case.name}")
def test_a_manifest_has_a_value_only_if_it_is_good(case: Case) -> None:
    """A manifest with an error is never applied, one without always yields its object."""
    found = parse_manifests(case.text, source="table")

    assert int(case.is_good) == len(found.jobs) + len(found.lists) + len(found.node_images)


def test_the_table_holds_enough_of_both_kinds_and_each_case_once() -> None:
    """The table stays what it is for: a hundred bad manifests and forty good ones, told apart by name."""
    bad = [case for case in CASES if not case.is_good]

    assert len(bad) >= 100
    assert len(CASES) - len(bad) >= 40
    assert len(CASES) == len({(case.topic, case.name) for case in CASES})


def test_all_good_manifests_can_be_applied_side_by_side() -> None:
    """No two good manifests are the same object, so that a server can be given all of them."""
    found = [parse_manifests(case.text, source="table") for case in CASES if case.is_good]

    named = [resource.name for part in found for resource in _resources(part)]
    assert len(named) == len(set(named))


def _resources(part: Manifests) -> tuple[Resource, ...]:
    return (*part.jobs, *part.lists, *part.node_images)
