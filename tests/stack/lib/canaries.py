"""Secrets that are planted to be looked for: a search of everything that can be seen from outside, in every form a secret could take there."""

import base64
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Canary:
    """A text that is looked for, and what it is."""

    what: str
    text: str

    def forms(self) -> dict[str, bytes]:
        """As it is, in hexadecimal digits, percent-encoded, and as part of something in base64, wherever that begins."""
        raw = self.text.encode()
        forms = {"as it is": raw, "in hex": raw.hex().encode(), "in HEX": raw.hex().upper().encode(), "percent-encoded": quote(self.text, safe="").encode()}
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + raw)
            # Without the characters that depend on what stands before and after.
            whole = encoded[(0, 2, 3)[before] : (before + len(raw)) // 3 * 4]
            forms[f"in base64, {before} bytes in"] = whole
            forms[f"in base64 for URLs, {before} bytes in"] = whole.replace(b"+", b"-").replace(b"/", b"_")
        return forms


class Places:
    """What can be seen, by where it was seen."""

    def __init__(self):
        self.seen: dict[str, list[bytes]] = {}

    def add(self, place: str, *texts: str | bytes | None):
        found = [text.encode() if isinstance(text, str) else text for text in texts if text]
        self.seen.setdefault(place, []).extend(found)

    def search(self, *canaries: Canary) -> dict[str, list[str]]:
        """Where which of them is, and how."""
        found: dict[str, list[str]] = {}
        for place, texts in self.seen.items():
            for canary in canaries:
                for form, needle in canary.forms().items():
                    if any(needle in text for text in texts):
                        found.setdefault(place, []).append(f"{canary.what} {form}")
        return found
