"""Whether a model card is still as it was written: if so it is renewed, and if not it is kept.

Under a card stands a comment, which readers of the Hub do not see, with the SHA-256 of the text
above it. Line ends do not count, since Git changes them.
"""

import hashlib
from pathlib import Path

_WORDS = "sr_hub wrote this card and renews it, unless somebody edits it. sha256"


def sealed(text: str) -> str:
    """The text of a card with its checksum under it."""
    text = _plain(text)
    return f"{text}\n\n<!-- {_WORDS} {hashlib.sha256(text.encode()).hexdigest()} -->\n"


def is_edited(card: str) -> bool:
    """Whether somebody else wrote the card, or changed it since it was sealed."""
    text, _, _ = _plain(card).rpartition(f"\n\n<!-- {_WORDS}")
    return _plain(card) != _plain(sealed(text))


def stays(card: str | None, keep: bool | None) -> bool:
    """Whether a card that is there, if it is, stays: by `keep`, or else if it was edited."""
    return card is not None and (is_edited(card) if keep is None else keep)


def read_card(path: Path) -> str | None:
    """The card in a file, whatever its encoding; None if there is no such file."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _plain(text: str) -> str:
    return "\n".join(text.splitlines()).rstrip()
