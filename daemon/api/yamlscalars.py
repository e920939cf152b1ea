"""What an unquoted word of YAML means: text, a number, a boolean or null. The structure around it is yamltext.py's."""

import re
from typing import Final


_TRUE: Final = frozenset(f for w in ("y", "yes", "true", "on") for f in (w, w.capitalize(), w.upper()))
_FALSE: Final = frozenset(f for w in ("n", "no", "false", "off") for f in (w, w.capitalize(), w.upper()))
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER: Final = re.compile(r"([-+]?)(0[xX][0-9a-fA-F][0-9a-fA-F_]*|0[bB][01][01_]*|0[oO][0-7][0-7_]*|[0-9][0-9_]*)")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_INTEGER: Final = 40


def resolve(plain: str) -> object:
    """
    Return what an unquoted scalar means: null, a boolean, a number, or the text itself.

    Follows the library that kubectl and the API server read YAML with: `1.10` is a number, `0600` an octal one, `y`
    true; `12:30` and `2026-01-01` are text.
    """
    if plain in _NULL:
        return None
    if plain in _TRUE or plain in _FALSE:
        return plain in _TRUE
    if integer := _INTEGER.fullmatch(plain):
        return _integer(integer)
    if _FLOAT.fullmatch(plain):
        return float(plain)
    if _SPECIAL_FLOAT.fullmatch(plain):
        return float(plain.replace(".", ""))
    return repaired(plain)


def _integer(match: re.Match[str]) -> int | float:
    sign, digits = match[1], match[2].replace("_", "").lower()
    if len(digits) > _LONGEST_INTEGER:
        return float("inf")
    is_octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xbo"
    if is_octal and not set(digits) <= set("01234567"):
        return float(sign + digits)
    return int(sign + (f"0o{digits}" if is_octal else digits), 0)


def repaired(text: str) -> str:
    """Join a character that stands in two halves."""
    # JSON writes a character beyond U+FFFF as two escapes, which PyYAML leaves as two halves.
    if any("\ud800" <= char <= "\udfff" for char in text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
