"""Values of every kind that keep the rules, for property tests."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from daemon.api.fields import INT32_MAX, INT64_MAX
from daemon.api.imagepulljob import (
    CompletionPolicy,
    CompletionType,
    ImageListPullJob,
    ImagePullJob,
    JobPrewarm,
    JobTemplate,
    LabelSelector,
    NodeSelector,
    PullPolicy,
    Refresh,
    SelectorOperator,
    SelectorRequirement,
)
from daemon.api.nodeimage import (
    Bytes,
    EndedOwner,
    EntryPrewarm,
    EntryPullPolicy,
    ImagePullPolicy,
    ImageSpec,
    NodeImage,
    OwnerReference,
    Phase,
    SandboxConfig,
    SecretReference,
    TagEntry,
    TagStatus,
)
from daemon.api.rules.metadata import API_VERSIONS


int32 = st.integers(0, INT32_MAX)
int64 = st.integers(0, INT64_MAX)
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
keys = st.from_regex(r"([a-z]{1,5}\.[a-z]{1,5}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,9}[A-Za-z0-9])?", fullmatch=True)
label_values = st.just("") | st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,9}[A-Za-z0-9])?", fullmatch=True)
labels = st.dictionaries(keys, label_values, max_size=3)
images = st.builds("{}{}".format, names, st.sampled_from(["", ":v1", ":latest", "@sha256:" + "a" * 64]))
times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001  hypothesis takes bounds without a zone
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
counts = int32 | st.integers(0, 100).map("{}%".format)
min_free = st.none() | st.integers(0, 99).map("{}%".format) | st.integers(0, 999).map("{}Gi".format)
maps = st.dictionaries(texts, texts, max_size=2)
sandboxes = st.builds(SandboxConfig, labels=maps, annotations=maps)
requirements = st.builds(
    SelectorRequirement,
    key=keys,
    operator=st.sampled_from([SelectorOperator.IN, SelectorOperator.NOT_IN]),
    values=st.lists(label_values, min_size=1, max_size=3).map(tuple),
) | st.builds(
    SelectorRequirement,
    key=keys,
    operator=st.sampled_from([SelectorOperator.EXISTS, SelectorOperator.DOES_NOT_EXIST]),
)
expressions = st.lists(requirements, max_size=2).map(tuple)
node_selectors = st.builds(NodeSelector, names=st.lists(names, max_size=3, unique=True).map(tuple)) | st.builds(
    NodeSelector, match_labels=labels, match_expressions=expressions
)
schedules = st.sampled_from(["0 2 * * *", "*/20 * * * *", "30 2 * * mon-fri", "15 1,13 1-7 * *"])
zones = st.none() | st.sampled_from(["Europe/Berlin", "America/New_York", "UTC", "Asia/Kolkata"])


@st.composite
def refreshes(draw: st.DrawFn) -> Refresh:
    """A refresh with a schedule, or with `at` alone."""
    at = draw(st.none() | times)
    if not draw(st.booleans()):
        return Refresh(at=at)
    spread = draw(st.none() | st.integers(0, 7200))
    deadline = draw(st.none() | st.integers(max(spread or 0, 1), 90_000))
    return Refresh(
        schedule=draw(schedules),
        time_zone=draw(zones),
        spread_seconds=spread,
        starting_deadline_seconds=deadline,
        at=at,
    )


@st.composite
def templates(draw: st.DrawFn, *, is_list: bool = False) -> JobTemplate:
    """A template whose parts fit together."""
    kind = draw(st.sampled_from(CompletionType))
    pull = PullPolicy(timeout_seconds=draw(st.integers(1, INT32_MAX)), backoff_limit=draw(int32))
    ends = kind is CompletionType.ALWAYS
    by_pod = draw(st.booleans())
    return JobTemplate(
        pull_secrets=draw(st.lists(names, max_size=2).map(tuple)),
        selector=None if by_pod else draw(st.none() | node_selectors),
        pod_selector=draw(st.builds(LabelSelector, match_labels=labels, match_expressions=expressions))
        if by_pod
        else None,
        parallelism=draw(counts),
        pull_policy=pull,
        completion_policy=CompletionPolicy(
            type=kind,
            active_deadline_seconds=draw(st.none() | st.integers(pull.timeout_seconds, INT64_MAX)) if ends else None,
            ttl_seconds_after_finished=draw(st.none() | int32) if ends else None,
        ),
        sandbox_config=draw(sandboxes),
        image_pull_policy=draw(st.sampled_from(ImagePullPolicy)),
        prewarm=JobPrewarm(
            suspend=draw(st.booleans()),
            priority=draw(st.integers(-INT32_MAX - 1, INT32_MAX)),
            gate=draw(st.booleans()),
            min_free=draw(min_free),
            refresh=None if ends else draw(st.none() | refreshes()),
            list_parallelism=draw(st.none() | counts) if is_list else None,
        ),
    )


jobs = st.builds(
    ImagePullJob,
    api_version=st.sampled_from(API_VERSIONS),
    name=names,
    namespace=names,
    uid=st.just("") | names,
    generation=int64,
    image=images,
    template=templates(),
)
list_jobs = st.builds(
    ImageListPullJob,
    api_version=st.sampled_from(API_VERSIONS),
    name=names,
    namespace=names,
    uid=st.just("") | names,
    generation=int64,
    images=st.lists(images, min_size=1, max_size=5, unique=True).map(tuple),
    template=templates(is_list=True),
)
tag_entries = st.builds(
    TagEntry,
    tag=names,
    created_at=st.none() | times,
    version=int64,
    image_pull_policy=st.sampled_from(ImagePullPolicy),
    owner_references=st.lists(
        st.builds(OwnerReference, api_version=texts, kind=texts, namespace=texts, name=texts, uid=texts), max_size=2
    ).map(tuple),
    pull_policy=st.builds(
        EntryPullPolicy,
        timeout_seconds=st.integers(1, INT32_MAX),
        backoff_limit=int32,
        ttl_seconds_after_finished=st.none() | int32,
        active_deadline_seconds=st.none() | st.integers(1, INT64_MAX),
    ),
    prewarm=st.builds(
        EntryPrewarm,
        priority=st.integers(-INT32_MAX - 1, INT32_MAX),
        min_free=min_free,
        suspended=st.booleans(),
        round=int32,
        ended=st.lists(st.builds(EndedOwner, uid=names, phase=st.sampled_from(Phase)), max_size=2).map(tuple),
    ),
)
tag_statuses = st.builds(
    TagStatus,
    tag=names,
    phase=st.sampled_from(Phase),
    version=int64,
    progress=st.integers(0, 100),
    start_time=st.none() | times,
    completion_time=st.none() | times,
    image_id=texts,
    message=texts,
    reason=texts,
    attempt=int32,
    digest=texts,
    changed=st.none() | st.booleans(),
    bytes=st.none() | st.builds(Bytes, done=int64, total=int64),
    stage=texts,
)
image_specs = st.builds(
    ImageSpec,
    tags=st.lists(tag_entries, max_size=2, unique_by=lambda entry: entry.tag).map(tuple),
    pull_secrets=st.lists(
        st.builds(SecretReference, namespace=names, name=names, mode=st.sampled_from(["", "batch"])), max_size=2
    ).map(tuple),
    sandbox_config=sandboxes,
)
node_images = st.builds(
    NodeImage,
    name=names,
    uid=st.just("") | names,
    generation=int64,
    images=st.dictionaries(names, image_specs, max_size=2),
    statuses=st.dictionaries(
        names, st.lists(tag_statuses, max_size=2, unique_by=lambda status: status.tag).map(tuple), max_size=2
    ),
)
