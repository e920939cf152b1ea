"""Without a terminal, --watch says what is new, and nothing else."""

from daemon.overview.changes import changed_lines
from daemon.overview.page import Cell, Facts, Page, Row, Table, page_of


def jobs(*rows: tuple[str, str, str]) -> Page:
    """Return a table of jobs: a name, a count, an age."""
    made = tuple(
        Row(key=name, cells=(Cell(text=name), Cell(text=count), Cell(text=age, is_clock=True)))
        for name, count, age in rows
    )
    return page_of([Table(columns=("NAME", "READY", "AGE"), rows=made)])


def detail(eta: str, *pulling: str) -> Page:
    """Return a job's page: a fact, and a table with a title."""
    rows = tuple(Row(key=node, cells=(Cell(text=node), Cell(text="50%", share=0.5))) for node in pulling)
    return page_of(
        [
            Facts(rows=(("Ready", Cell(text="1/2")), ("ETA", Cell(text=eta, is_clock=True)))),
            Table(title="PULLING", columns=("NODE", "PROGRESS"), rows=rows),
        ]
    )


def test_first_everything_is_written() -> None:
    """With the names of the columns."""
    assert ["NAME   READY   AGE", "a      1/2     5s"] == changed_lines(None, jobs(("a", "1/2", "5s")))


def test_time_alone_is_nothing_new() -> None:
    """An age that grows is no change."""
    assert [] == changed_lines(jobs(("a", "1/2", "5s")), jobs(("a", "1/2", "9s")))


def test_a_row_that_says_something_else_is_written_again() -> None:
    """As kubectl's --watch does; the others are not."""
    before, after = jobs(("a", "1/2", "5s"), ("b", "1/2", "5s")), jobs(("a", "1/2", "6s"), ("b", "2/2", "6s"))

    assert ["b      2/2     6s"] == changed_lines(before, after)


def test_a_job_that_is_new_or_gone_is_told() -> None:
    """The one with its row, the other by its name."""
    assert ["b      1/2     1s", "a: gone"] == changed_lines(jobs(("a", "1/2", "5s")), jobs(("b", "1/2", "1s")))


def test_on_a_jobs_page_each_line_says_where_it_belongs() -> None:
    """A node that has begun to pull is told with the table's title; one that has ended is told by the counts."""
    assert ["pulling: n2   [##########----------] 50%"] == changed_lines(detail("5s", "n1"), detail("4s", "n2"))


def test_a_name_that_a_terminal_would_act_on_is_escaped() -> None:
    """Also of what is gone."""
    assert ["\\x1b: gone"] == changed_lines(jobs(("\x1b", "1", "1s")), Page())
