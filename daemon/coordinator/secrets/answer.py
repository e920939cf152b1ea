"""What an errand about a pull secret came to, as the loop hears it. Values only: nothing that is in a Secret."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """What became of a source's copy."""

    PRESENT = "present"
    MISSING = "missing"
    UNUSABLE = "unusable"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    UNREAD = "unread"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an errand came to, without anything that is in a Secret.

    Attributes:
        state: PRESENT: the source is there and, after an errand that copies, its copy too; MISSING: it is not there;
            UNUSABLE: it serves no pull; FORBIDDEN: it may not be read; REFUSED: its copy can't be made; UNREAD: no
            answer could be had.
        copy: the name of the copy.
        digest: of what is copied; means nothing outside this process.
        has_changed: the copy is new, or has something else in it than before.
        words: what a person should know beside the state.
    """

    state: State
    copy: str = ""
    digest: str = ""
    has_changed: bool = False
    words: str = ""
