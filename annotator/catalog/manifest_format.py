"""The formats of manifests: an older one is brought up in order, a newer one refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.errors import CatalogBroken
from annotator.json_file import JsonInvalid, JsonUnreadable, read_json

_Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class ManifestFormat:
    """What a kind of manifest looks like by now.

    Attributes:
        number: of the format that is written.
        rebuild: the command that makes again what an unreadable one belongs to.
        upgrades: by the number that it has, what makes a manifest of the next one; all of those
            from the oldest that can be read.
    """

    number: int
    rebuild: str
    upgrades: Mapping[int, _Upgrade] = field(default_factory=dict[int, _Upgrade])

    def read(self, path: Path) -> dict[str, Any]:
        """What a file says, as of today's format; the file stays as it is.

        Raises:
            CatalogBroken: it cannot be read, is of a newer format, or of one that is read no more.
        """
        try:
            content = read_json(path, dict[str, Any])
        except JsonUnreadable as error:
            raise CatalogBroken.unreadable(str(path), str(error)) from error
        except JsonInvalid as error:
            raise CatalogBroken(str(path), str(error), self.rebuild) from error
        number = content.get("format")
        if not isinstance(number, int) or isinstance(number, bool):
            raise CatalogBroken(str(path), "it names no format", self.rebuild)
        if number > self.number:
            reason = f"it is of format {number}, and this annotator reads those up to {self.number}"
            raise CatalogBroken(str(path), reason, "Use the annotator that made it, or a later one")
        for step in range(number, self.number):
            if step not in self.upgrades:
                reason = f"it is of format {number}, which is read no more"
                raise CatalogBroken(str(path), reason, self.rebuild)
            content = self.upgrades[step](content) | {"format": step + 1}
        return content
