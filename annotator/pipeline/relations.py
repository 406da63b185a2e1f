"""`annotator relations`: every head of a catalog scored on relations, told from chance."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.catalog.read import Catalog, open_catalog
from annotator.catalog.relations_builder import building
from annotator.catalog.relations_manifest import RelationRun, read_relations_run
from annotator.catalog.relations_tables import RELATION_TABLES
from annotator.errors import SettingInvalid
from annotator.maps.settings import MapSettings
from annotator.pipeline.open_model import OpenedModel, open_model_of
from annotator.pipeline.progress import say, track
from annotator.records import LEAST_DRAWS, Relation
from annotator.tokens.relation_files import NAMED, load_relations, name_fits

if TYPE_CHECKING:
    from torch import nn

    from annotator.weights.source import Source

DEFAULTS = {"draws": LEAST_DRAWS, "seed": 0}


def score_relations(
    catalog: Catalog | str | Path,
    relations: str | Path | Sequence[Relation] | None = None,
    *,
    model: str | Path | nn.Module | Source | None = None,
    revision: str | None = None,
    tokenizer: Any = None,
    device: str = "cpu",
    draws: int | None = None,
    seed: int | None = None,
    progress: bool = True,
) -> Catalog:
    """Score every head of a catalog on relations; run again, it goes on where it stopped.

    Relations, draws and seed that are not given are those of the scores that are there. Where these
    are what is asked for, nothing is done and no model is needed; else they are replaced, once the
    new ones are finished.

    Args:
        catalog: a finished catalog or its directory; source form, vocabulary and dtype are its.
        relations: a directory or file of pairs, or relations; without scores there, those that come
            with annotator.
        model: where the catalog's model is now; None: where it was, else on the hub.
        revision: branch, tag or commit on the hub.
        tokenizer: in place of the model's own.
        device: a torch device name.
        draws: re-pairings that a score is compared with; without scores there, 20,000.
        seed: of the draws; without scores there, 0.
        progress: show a bar on standard error once two seconds have passed.

    Raises:
        RelationsInvalid: files of pairs that cannot be used; all problems are named.
        CatalogError: the catalog cannot be read or written, or is not the model's; finished layers
            are kept.
        ModelError: the model is nowhere, or cannot be read.
        SettingInvalid: no relations, a name that is no file's, no draws, or a seed below 0.
    """
    opened = open_catalog(catalog)
    there = read_relations_run(opened.folder)
    known = there.settings if there else DEFAULTS
    drawn: dict[str, int] = {
        "draws": known["draws"] if draws is None else draws,
        "seed": known["seed"] if seed is None else seed,
    }
    wanted = asked_relations(opened, relations)
    same = there is not None and there.asked(wanted, drawn)
    if same and all((opened.folder / f"{name}.parquet").is_file() for name in RELATION_TABLES):
        return opened
    found = open_model_of(opened, model, revision, tokenizer, device, progress)
    _score(opened, found, wanted, drawn)
    if there and not same:
        say(f"Replaced the scores of other relations or settings in {opened.folder}.")
    return opened


def asked_relations(
    catalog: Catalog, given: str | Path | Sequence[Relation] | None
) -> tuple[Relation, ...]:
    """The relations that `score_relations` would score, whatever is there already.

    Args:
        catalog: those it has scores of are asked for where none are given.
        given: a directory or file of pairs, or relations.

    Raises:
        RelationsInvalid: files of pairs that cannot be used; all problems are named.
        SettingInvalid: no relations, two of one name, or a name that is no file's.
        CatalogBroken: the catalog's cannot be read.
    """
    there = read_relations_run(catalog.folder) if given is None else None
    if given is None and there:
        if there.relations != load_relations():
            said = "has scores of other relations than those that come with annotator"
            say(f"{catalog.folder} {said}; to have these scored, delete its relations.json.")
        return there.relations
    if given is None or isinstance(given, str | Path):
        return load_relations(given)
    names = [one.name for one in given]
    if not names or len(set(names)) < len(names):
        raise SettingInvalid("relations", names, "at least one, each of another name")
    if wrong := [name for name in names if not name_fits(name)]:
        raise SettingInvalid("relations", wrong, NAMED)
    return tuple(given)


def _score(
    catalog: Catalog,
    opened: OpenedModel,
    relations: Sequence[Relation],
    drawn: dict[str, int],
) -> None:
    import torch

    from annotator.maps.engine import layer_groups
    from annotator.maps.permutation_null import Null
    from annotator.maps.relations import K_MAX, relation_scores
    from annotator.tokens.pairs import pairs_of

    kept = {name: value for name, value in catalog.manifest.settings.items() if name != "device"}
    model, vocabulary, progress = opened.model, opened.vocabulary, opened.progress
    settings, dims = MapSettings(**kept), model.dims
    usable = vocabulary.usable() if settings.vocabulary == "usable" else None
    counting = None if usable is None else frozenset(usable)
    pairs = tuple(pairs_of(one, vocabulary, dims.vocab, counting) for one in relations)
    run = RelationRun(
        {**drawn, "k_max": K_MAX, "device": model.device.type},
        {"annotator": version("annotator"), "torch": torch.__version__},
        pairs,
    )
    null = Null({one.name: one.k for one in run.valid}, **drawn)
    null.check([], K_MAX)
    ids = {one.name: one.ids for one in run.valid}
    groups = layer_groups(dims.n_layers, dims.n_heads, settings)
    with building(catalog.folder, run, groups) as builder:
        missing = builder.missing()
        wanted = [layer for group in missing for layer in group]
        found = relation_scores(model, ids, settings, layers=wanted, usable=usable, null=null)
        done = dims.n_layers - len(wanted)
        tracked = track(found, "Scoring", dims.n_layers, unit="layer", done=done, show=progress)
        layers = iter(tracked if ids else ())
        for group in missing:
            builder.add(islice(layers, len(group)), group)
        builder.finish()
