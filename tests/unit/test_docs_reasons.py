"""docs/reasons.md tells what a job's conditions and events say."""

import re
from collections.abc import Sequence

import pytest

from daemon.api.reasons import NEEDS_A_PERSON, Word
from tests.unit.documents import headings, rows, text_of


OF_A_NODE = (Word.RUNTIME_ANSWERS, Word.ENOUGH_SPACE, Word.NO_OTHER_DAEMON, Word.OTHER_DAEMON)
OF_A_JOB = [word for word in Word if word not in OF_A_NODE]
MENDED = (Word.NODES_REFUSED, Word.JOBS_REFUSED, Word.INVALID_SPEC, Word.OTHER_DAEMON)


def _listed(text: str, *, begin: str) -> Sequence[str]:
    """Return the words of a sentence that lists some."""
    found = re.search(rf"{begin}([A-Za-z, ]+)\.", text)
    return re.split(r", | and ", found[1]) if found else ()


@pytest.mark.parametrize("word", OF_A_JOB)
def test_each_word_of_a_job_s_conditions_is_documented(word: Word) -> None:
    """A person who meets it in the column REASON finds what it means."""
    assert word.value in rows(text_of("docs/reasons.md"))


@pytest.mark.parametrize("word", OF_A_NODE)
def test_each_word_of_a_node_s_conditions_is_documented(word: Word) -> None:
    """Where nothing is wrong, too."""
    assert f"`{word}`" in text_of("docs/reasons.md")


@pytest.mark.parametrize("word", MENDED)
def test_each_word_that_needs_a_person_has_its_paragraph(word: Word) -> None:
    """With a command and what mends it."""
    assert 1 == headings(text_of("docs/reasons.md")).count(word.value)


def test_the_reasons_that_stall_a_job_are_listed() -> None:
    """Whoever writes an alert knows which they are."""
    assert sorted(NEEDS_A_PERSON) == sorted(_listed(text_of("docs/reasons.md"), begin="Those reasons are "))
