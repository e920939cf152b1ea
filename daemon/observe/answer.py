"""What a path of the HTTP server gives back, made by whoever knows the matter; server.py puts it on the wire."""

import msgspec


TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A body with its status and type."""

    body: bytes
    status: int = 200
    content_type: str = TEXT
