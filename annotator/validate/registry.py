"""Every experiment, in the order that exports and pages have them: a file each, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotator.registry import registered

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
    return registered("experiment", name, EXPERIMENTS, "EXPERIMENT")


def experiments() -> list[Experiment]:
    """All of them."""
    return list(map(experiment, EXPERIMENTS))
