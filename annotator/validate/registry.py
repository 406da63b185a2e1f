"""Every experiment, in the order that exports and pages have them: a file each, and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from annotator.errors import SettingInvalid

if TYPE_CHECKING:
    from annotator.validate.experiment import Experiment

EXPERIMENTS = {
    "correlate": "annotator.validate.correlate",
    "multi_token": "annotator.validate.multi_token",
    "ablate": "annotator.validate.ablate",
    "variants": "annotator.validate.variants",
}
"""By name the module that has it as EXPERIMENT."""


def experiment(name: str) -> Experiment:
    """The experiment of a name.

    Raises:
        SettingInvalid: there is none.
    """
    if name not in EXPERIMENTS:
        raise SettingInvalid("experiment", name, "one of " + ", ".join(EXPERIMENTS))
    return import_module(EXPERIMENTS[name]).EXPERIMENT


def experiments() -> list[Experiment]:
    """All of them."""
    return list(map(experiment, EXPERIMENTS))
