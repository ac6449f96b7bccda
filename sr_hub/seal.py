"""Whether a model card is still as it was written: if so it is renewed, and if not it is kept.

Under a card stands a comment, which readers of the Hub do not see, with the SHA-256 of the text
above it. Line ends do not count, since Git changes them.
"""

import hashlib
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

LICENCE = ("license", "license_name", "license_link")

_WORDS = "sr_hub wrote this card and renews it, unless somebody edits it. sha256"


def sealed(text: str) -> str:
    """The text of a card with its checksum under it."""
    text = _plain(text)
    return f"{text}\n\n<!-- {_WORDS} {hashlib.sha256(text.encode()).hexdigest()} -->\n"


def is_edited(card: str) -> bool:
    """Whether somebody else wrote the card, or changed it since it was sealed.

    A repository that was made on the Hub's website has a card of front matter alone: nobody's.
    """
    if is_bare(card):
        return False
    text, _, _ = _plain(card).rpartition(f"\n\n<!-- {_WORDS}")
    return _plain(card) != _plain(sealed(text))


def is_bare(card: str | None) -> bool:
    """Whether a card is front matter alone."""
    metadata, text = _parsed(card or "")
    return bool(metadata) and not text.strip()


def licence_of(card: str | None) -> dict[str, Any]:
    """What the front matter of a card states of the licence, as `facts` have it."""
    metadata, _ = _parsed(card or "")
    stated = {key: value for key, value in metadata.items() if key in LICENCE}
    return stated if isinstance(stated.get("license"), str) else {}


def stays(card: str | None, keep: bool | None) -> bool:
    """Whether a card that is there, if it is, stays: by `keep`, or else if it was edited."""
    return card is not None and (is_edited(card) if keep is None else keep)


def read_card(path: Path) -> str | None:
    """The card in a file, whatever its encoding; None if there is no such file."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _parsed(card: str) -> tuple[dict[str, Any], str]:
    """The front matter of a card, and the text below it."""
    if not card.startswith("---"):
        return {}, card
    try:
        parsed = ModelCard(card, ignore_metadata_errors=True)
    except Exception:  # of many types, if the YAML is damaged
        return {}, card
    return parsed.data.to_dict(), parsed.text


def _plain(text: str) -> str:
    return "\n".join(text.splitlines()).rstrip()
