r"""How a token is shown, so that no two tokens look the same and none breaks a line.

| token | shown |
|---|---|
| a space | ␣ (so " Paris" is ␣Paris) |
| newline, tab, return | \n \t \r |
| a byte that is no character of its own | \xe2 |
| invisible, control, unassigned, private, leading combining mark | \u200b or \U000e0001 |
| \ ␣ ⟦ ⟧ themselves | \\ \u2423 \u27e6 \u27e7 |
| a special token | ⟦<|im_start|>⟧ |
| a row of the embedding that has no token | ⟦#49153⟧ |

The mapping from bytes to shown text is one to one (property-tested).
"""

from __future__ import annotations

import unicodedata

_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", " ": "␣"}
_OURS = frozenset("␣⟦⟧")
# Unicode's Default_Ignorable_Code_Point and the empty braille cell, where their category is that
# of a letter or mark: fillers and variation selectors.
_INVISIBLE = frozenset(
    map(
        chr,
        [
            *(0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ],
    )
)


def show_bytes(data: bytes) -> str:
    """Bytes of a token as a person sees them; one to one."""
    text = data.decode("utf-8", errors="surrogateescape")
    return "".join(_show_char(char, leads=at == 0) for at, char in enumerate(text))


def show_special(text: str) -> str:
    """A special token, in brackets that no other token shows."""
    shown = show_bytes(text.encode())
    if shown.startswith("#"):  # as an absent row would be
        shown = "\\u0023" + shown[1:]
    return f"⟦{shown}⟧"


def show_absent(id: int) -> str:
    """A row of the embedding that has no token."""
    return f"⟦#{id}⟧"


def _show_char(char: str, *, leads: bool) -> str:
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape's stand-in for an undecodable byte
        return f"\\x{code - 0xDC00:02x}"
    category = unicodedata.category(char)
    hidden = category[0] in "CZ" or (leads and category[0] == "M")
    if not hidden and char not in _OURS and char not in _INVISIBLE:
        return char
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
