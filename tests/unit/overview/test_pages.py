"""What stands on the pages: columns lined up, words where a person looks for them, nothing a terminal acts on."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.coordinator.decoding import job_of as seen_job_of
from daemon.overview.documents import Job, JobDocument, JobNode, JobsDocument, ListDocument, NodeDocument, ReasonGroup
from daemon.overview.draw import harmless, lines_of, plain
from daemon.overview.fitting import fitted
from daemon.overview.jobs import job_of, list_of
from daemon.overview.nodeimages import facts_of, node_of
from daemon.overview.page import Cell, Facts, Notes, Page, Row, Table, page_of
from daemon.overview.screens import page_text
from daemon.overview.standings import nodes_of
from tests.unit.overview.objects import IMAGE, NOW, answer, at, entry, job, node_image, warm


STATUS = {
    "observedGeneration": 1,
    "desired": 9,
    "active": 2,
    "succeeded": 4,
    "failed": 1,
    "message": "job is running, progress 55.6%",
    "conditions": [{"type": "Ready", "status": "False", "reason": "InProgress", "message": "4 of 9 nodes have it"}],
    "prewarm": {
        "summary": "4/10",
        "nodes": {"warm": 4, "stale": 2, "cold": 3, "skipped": 1},
        "pulling": 2,
        "waiting": 2,
        "eta": "2026-01-31T02:05:00Z",
        "nextRefreshTime": "2026-01-31T08:00:00Z",
        "digests": [{"digest": f"sha256:{'b' * 64}", "nodes": 6}],
        "failures": [
            {
                "reason": "DiskLow",
                "count": 1,
                "nodes": ["n9"],
                "message": "no space",
                "retryTime": "2026-01-31T02:01:00Z",
            }
        ],
        "skipped": [{"reason": "NodeNotReady", "count": 1, "nodes": ["n8"], "message": "the node is not Ready"}],
    },
}


def table(*jobs: Job, namespace: str | None = None, is_wide: bool = False) -> list[list[str]]:
    """Return the words of the table of jobs, line by line."""
    text = page_text(JobsDocument(time=NOW, namespace=namespace, jobs=jobs), is_wide=is_wide)
    return [line.split() for line in text.splitlines()]


def detail(*images: bytes, of: bytes | None = None, is_wide: bool = False, notes: tuple[str, ...] = ()) -> str:
    """Return a job's page."""
    content = of or job(STATUS)
    facts = [facts_of(image) for image in images]
    nodes = nodes_of(seen_job_of(content), job_of(content), facts=facts, nodes=None, now=NOW)
    return page_text(JobDocument(time=NOW, job=job_of(content), nodes=nodes, notes=notes), is_wide=is_wide)


def test_a_row_has_what_tells_how_a_job_is() -> None:
    """READY, who pulls and waits, what is stale, cold, failed and skipped, when it ends and begins anew, and why."""
    head, row = table(job_of(job(STATUS)), namespace="team")

    assert [
        *("NAME", "READY", "PULLING", "WAITING", "STALE", "COLD", "FAILED", "SKIPPED"),
        *("ETA", "REFRESH", "REASON", "AGE"),
    ] == head
    assert ["base", "4/10", "2", "2", "2", "3", "1", "1", "5m", "6h", "InProgress", "60m"] == row


def test_of_several_namespaces_each_row_has_its_own() -> None:
    """As kubectl's -A."""
    head, row = table(job_of(job(STATUS)))

    assert ("NAMESPACE", "team") == (head[0], row[0])


def test_wide_adds_the_image_and_what_lies_on_the_nodes() -> None:
    """Whether the refresh ends in time, image, parallelism, digests and the message."""
    head, row = table(job_of(job(STATUS, parallelism=7)), is_wide=True)

    assert ["WINDOW", "IMAGE", "PARALLELISM", "DIGESTS", "MESSAGE"] == head[-5:]
    assert ["-", IMAGE, "7", "sha256:bbbbbbbbbbbb", "on", "6", "job", "is"] == row[13:21]


def test_what_no_coordinator_has_looked_at_says_so() -> None:
    """A new job, and one that was edited."""
    rows = table(job_of(job()), job_of(job(STATUS, generation=2)))

    assert ["Unobserved", "Unobserved"] == [row[-2] for row in rows[1:]]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"desired": 2, "active": 1, "succeeded": 1}, "InProgress"),
        ({"desired": 2, "succeeded": 2, "completionTime": at(0)}, "Finished"),
        ({"desired": 2, "succeeded": 1, "failed": 1, "completionTime": at(0)}, "NodesFailed"),
    ],
)
def test_a_status_without_conditions_has_a_reason_all_the_same(status: dict[str, object], expected: str) -> None:
    """OpenKruise's has none."""
    assert expected == table(job_of(job(status, kind="Always")))[1][-2]


@pytest.mark.parametrize(("namespace", "expected"), [("team", "in the namespace team."), (None, "found.")])
def test_that_there_is_no_job_is_said(namespace: str | None, expected: str) -> None:
    """And where there is none."""
    assert page_text(JobsDocument(time=NOW, namespace=namespace), is_wide=False).endswith(expected)


def test_a_job_is_told_from_top_to_bottom() -> None:
    """Header, who pulls and how far, what failed and is tried again when, what is left out, and who is cold and why."""
    pulling = answer("Pulling", progress=50, bytes={"done": 1 << 20, "total": 2 << 20}, startTime=at(-20), attempt=1)
    failed = answer("Failed", reason="DiskLow", message="no space", attempt=4, completionTime=at(-10))

    lines = detail(
        node_image("n1", entry=entry(), answer=pulling),
        node_image("n2", entry=entry(), answer=warm()),
        node_image("n9", entry=entry(), answer=failed),
    ).splitlines()

    words = [" ".join(line.split()) for line in lines]
    assert "Image: registry.example.com/team/app:v1" in words
    assert "Ready: [########------------] 40%, 4/10 nodes" in words
    assert "Nodes: 4 warm, 2 stale, 3 cold, 1 skipped; 2 pulling, 2 waiting, 1 failed" in words
    assert "ETA: in 5m (2026-01-31 02:05:00Z)" in words
    assert "State: InProgress: 4 of 9 nodes have it" in words
    after = [word for word in words if word]
    pull = after.index("PULLING")
    assert "n1 [##########----------] 50% 1.0 MiB of 2.0 MiB 20s 1" == after[pull + 2]
    assert ["FAILED", "REASON COUNT RETRY MESSAGE NODES", "DiskLow 1 60s no space n9"] == after[pull + 3 : pull + 6]
    assert ["SKIPPED", "REASON COUNT MESSAGE NODES"] == after[pull + 6 : pull + 8]
    assert "COLD AND STALE" == after[pull + 9]
    assert ["n1 cold Pulling - 1 20s - -", "n9 cold Failed DiskLow 4 10s 50s no space"] == after[-2:]


@pytest.mark.parametrize(
    ("eta", "expected"),
    [
        (300, "closes in 50m (2026-01-31 02:50:00Z); the ETA lies before its end"),
        (3600, "closes in 50m (2026-01-31 02:50:00Z); the ETA lies after its end"),
        (None, "closes in 50m (2026-01-31 02:50:00Z)"),
    ],
)
def test_whether_a_refresh_ends_in_its_window_is_said(eta: float | None, expected: str) -> None:
    """While it runs, and where startingDeadlineSeconds bounds it."""
    told = {"lastRefreshTime": at(-600), "summary": "1/2", **({} if eta is None else {"eta": at(eta)})}
    refresh = {"refresh": {"schedule": "50 1 * * *", "startingDeadlineSeconds": 3600}}

    page = detail(of=job({"desired": 2, "prewarm": told}, prewarm=refresh))

    (line,) = (line for line in page.splitlines() if line.startswith("Window:"))
    assert expected == line.partition(":")[2].strip()


@pytest.mark.parametrize(
    ("began", "eta", "expected"),
    [(-600, 300, "in time"), (-600, 3600, "late by 10m"), (-600, None, "open for 50m"), (-3900, 300, "closed 5m ago")],
)
def test_wide_says_of_all_jobs_whether_they_end_in_time(began: float, eta: float | None, expected: str) -> None:
    """In a word or two: one look over all refreshes of a night."""
    told = {"lastRefreshTime": at(began), "summary": "1/2", **({} if eta is None else {"eta": at(eta)})}
    refresh = {"refresh": {"schedule": "0 1 * * *", "startingDeadlineSeconds": 3600}}
    content = job({"desired": 2, "prewarm": told}, prewarm=refresh)

    document = JobsDocument(time=NOW, namespace="team", jobs=(job_of(content),))

    head, row = page_text(document, is_wide=True).splitlines()
    assert row[head.index("WINDOW") :].startswith(f"{expected}   ")


@pytest.mark.parametrize(
    ("refresh", "told"),
    [
        ({"schedule": "50 1 * * *"}, {}),
        ({"startingDeadlineSeconds": 3600}, {}),
        ({"schedule": "50 1 * * *", "startingDeadlineSeconds": 3600}, {"nextRefreshTime": at(9)}),
    ],
    ids=["without a bound", "without a schedule", "over"],
)
def test_without_a_window_none_is_told(refresh: dict[str, object], told: dict[str, object]) -> None:
    """Nothing is made up."""
    status = {"desired": 2, "prewarm": {"lastRefreshTime": at(-600), **told}}

    assert "Window" not in detail(of=job(status, prewarm={"refresh": refresh}))


def test_wide_names_the_warm_nodes_too() -> None:
    """With what lies on each."""
    narrow = detail(node_image("n2", entry=entry(), answer=warm()))
    wide = detail(node_image("n2", entry=entry(), answer=warm()), is_wide=True)

    assert ("n2" in narrow, "n2     warm" in wide) == (False, True)


def test_where_the_status_has_no_groups_the_nodes_give_them() -> None:
    """On OpenKruise's CRDs: each reason with how many, the commonest first."""
    nodes = [
        JobNode(node=f"n{number}", group="cold", state="Failed", reason=reason, message=f"words {number}")
        for number, reason in enumerate(("DiskLow", "ImageNotFound", "ImageNotFound"))
    ]
    content = job_of(job({"desired": 3, "failed": 3}))

    text = page_text(JobDocument(time=NOW, job=content, nodes=tuple(nodes)), is_wide=False)

    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert ["ImageNotFound 2 words 1 n1, n2", "DiskLow 1 words 0 n0"] == rows[rows.index("FAILED") + 2 :][:2]


def test_many_names_are_counted_and_wide_told() -> None:
    """Three of them, and how many more."""
    group = ReasonGroup(reason="DiskLow", count=12, nodes=tuple(f"n{number}" for number in range(10)))
    document = JobDocument(time=NOW, job=msgspec.structs.replace(job_of(job(STATUS)), failures=(group,)))

    assert "n0, n1, n2 and 9 more" in page_text(document, is_wide=False)
    assert "n8, n9" in page_text(document, is_wide=True)


def test_a_list_has_a_row_an_image() -> None:
    """In the list's order, with what failed above, and those that have no job yet."""
    failed = {"imagePullJob": "nightly-1", "name": "b:1", "message": "1 of 10 nodes failed: 1 ImageNotFound"}
    group = {"reason": "ImageNotFound", "count": 1, "nodes": ["n9"], "message": "no such tag"}
    nodes = {"warm": 8, "stale": 0, "cold": 12, "skipped": 10}
    together = {"prewarm": {"summary": "8/30", "nodes": nodes, "pulling": 4, "waiting": 8, "failures": [group]}}
    content = msgspec.json.encode(
        {
            "metadata": {"name": "nightly", "namespace": "team", "uid": "l1"},
            "spec": {"images": ["c:1", "b:1", "a:1"], "prewarm": {"listParallelism": 3}},
            "status": {"desired": 3, "succeeded": 1, "completed": 2, "failedImageStatuses": [failed], **together},
        }
    )
    children = tuple(job_of(job(STATUS, name=f"nightly-{image[0]}", image=image)) for image in ("b:1", "a:1"))
    document = ListDocument(time=NOW, job=list_of(content), jobs=children)

    lines = [" ".join(line.split()) for line in page_text(document, is_wide=False).splitlines()]

    assert "Policy: Always, imagePullPolicy IfNotPresent, parallelism 1, listParallelism 3" in lines
    assert "Images: 3 images: 1 succeeded, 0 active, 1 failed; 2 have ended" in lines
    assert "Ready: [#####---------------] 26%, 8/30" in lines
    assert "On nodes: 8 warm, 0 stale, 12 cold, 10 skipped; 4 pulling, 8 waiting" in lines
    assert "b:1 nightly-1 1 of 10 nodes failed: 1 ImageNotFound" in lines
    assert "ImageNotFound 1 no such tag n9" == lines[lines.index("FAILED ON NODES") + 2]
    rows = [line.split() for line in lines[lines.index("IMAGES") + 2 :]]
    assert [("c:1", "-"), ("b:1", "nightly-b"), ("a:1", "nightly-a")] == [(row[0], row[-1]) for row in rows]
    assert ["NotMade", "4/10"] == [rows[0][10], rows[1][1]]


def test_a_node_is_told_with_its_agent_and_images() -> None:
    """Who reports and since when, why it is left out, each image and its owners."""
    silent = answer("Failed", reason="AgentSilent", message="nothing for 3 minutes", attempt=1)
    node = node_of(facts_of(node_image(entry=entry(), answer=silent)), node=None, now=NOW)

    lines = page_text(NodeDocument(time=NOW, node=node), is_wide=False).splitlines()

    words = [" ".join(line.split()) for line in lines]
    assert {"Node: n1", "Agent: 0.1.0", "Reported: 10s ago", "Images: 1 image: 1 failed"} <= set(words)
    assert any(word.startswith("Skipped: AgentSilent: ") for word in words)
    assert f"{IMAGE} Failed - AgentSilent 1/4 60s team/base nothing for 3 minutes" == words[-1]


def test_a_node_without_images_says_so() -> None:
    """An empty table says nothing."""
    node = node_of(facts_of(node_image(has_agent=False)), node=None, now=NOW)

    text = page_text(NodeDocument(time=NOW, node=node), is_wide=True)

    assert "nothing is wanted on this node" in text
    assert "none of Prewarm's has reported" in text


def test_columns_are_lined_up() -> None:
    """Each begins below its name, and no line ends in blanks."""
    rows = tuple(Row(key=word, cells=(Cell(text=word), Cell(text="x"))) for word in ("a", "longer"))
    page = page_of([Table(columns=("NAME", "MORE"), rows=rows)])

    assert ["NAME     MORE", "a        x", "longer   x"] == [plain(line) for line in lines_of(page)]


@given(text=st.text())
def test_nothing_that_a_terminal_acts_on_is_drawn(text: str) -> None:
    """Whatever a registry or a person has put into an object."""
    page = page_of(
        [
            Facts(rows=(("Label", Cell(text=text)),)),
            Notes(lines=(text,)),
            Table(columns=("NAME",), rows=(Row(key="k", cells=(Cell(text=text, share=0.5),)),)),
        ]
    )

    assert all(plain(line).isprintable() for line in lines_of(page))


def test_words_of_a_registry_do_not_reach_the_terminal_as_escapes() -> None:
    """They are shown as what they are."""
    words = "\x1b[2Jgone"

    assert "\\x1b[2Jgone" == harmless(words)
    assert "\x1b" not in detail(node_image("n1", entry=entry(), answer=answer("Failed", message=words)))


@given(
    sizes=st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=4),
    lines=st.integers(min_value=1, max_value=80),
)
def test_a_page_is_cut_to_its_lines_and_says_what_is_missing(sizes: list[int], lines: int) -> None:
    """No table vanishes, none says less than it has, and where it fits nothing is cut."""
    tables = [
        Table(
            title=f"T{number}",
            columns=("NAME",),
            rows=tuple(Row(key=str(row), cells=(Cell(text=str(row)),)) for row in range(size)),
        )
        for number, size in enumerate(sizes)
    ]
    page = Page(blocks=tuple(tables))

    cut = fitted(page, lines=lines)

    found = [block for block in cut.blocks if isinstance(block, Table)]
    assert sizes == [len(block.rows) + block.more for block in found]
    least = 4 * len(sizes) - 1  # an empty line, a title, the columns, and how many more
    assert len(lines_of(cut)) <= max(lines, least)
    assert (cut == page) == (len(lines_of(page)) <= lines)


def test_short_tables_stay_whole_where_long_ones_are_cut() -> None:
    """The long ones share what is left."""
    tables = [
        Table(columns=("NAME",), rows=tuple(Row(key=str(row), cells=(Cell(text="x"),)) for row in range(size)))
        for size in (2, 100)
    ]

    cut = fitted(Page(blocks=tuple(tables)), lines=20)

    assert [0, 86] == [block.more for block in cut.blocks if isinstance(block, Table)]
    assert 20 == len(lines_of(cut))


def test_an_age_is_of_the_moment_of_the_document() -> None:
    """Not of whenever it is drawn."""
    document = JobsDocument(time=NOW + timedelta(hours=1), jobs=(job_of(job(STATUS)),))

    assert "120m" == page_text(document, is_wide=False).split()[-1]
