"""Dynamic scores: whether what a head writes in a prompt holds a relation's target.

What a head writes at the last position is `sum over positions of attention (x W_V + b_V)` times
W_O, and U of it says which tokens it promotes: no output bias, post-attention norm, final norm or
unembedding bias enters (docs/definitions.md, "Dynamic score"; Elhelo & Geva 2024, section 4.2).
With context it is what the head wrote; without, its attention is forced wholly onto the source,
everything before as in the clean run: the source position's value vector.

- A prompt is run and ranked once, whatever relations it is in. A relation is yielded as soon as
  all its prompts are through.
- Ranks come from the kernel of the static scores: W_O and W_U are annotator's own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from annotator.maps.engine import HEADS_AT_ONCE
from annotator.maps.ranks import rank_targets
from annotator.maps.relations import best_ranks
from annotator.validate.batches import memory
from annotator.validate.inference import Inference, may_share, run_prompts
from annotator.validate.prompts import SourcePrompt
from annotator.weights.model import LayerHeads, Model


@dataclass(frozen=True)
class Case:
    """A prompt, and the token ids of which any is a success."""

    prompt: SourcePrompt
    targets: frozenset[int]


@dataclass(frozen=True)
class Question:
    """What is asked of all heads about one relation.

    Attributes:
        relation: its name.
        k: how far from the top a target counts.
        cases: for each template the prompts, one a source.
        dropped: how many prompts do not count, by reason.
    """

    relation: str
    k: int
    cases: Sequence[Sequence[Case]]
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Dynamic:
    """How all heads scored in inference on one relation.

    Attributes:
        relation: its name.
        k: how far from the top a target counts.
        prompts: how many prompts the scores are shares of, by template.
        dropped: how many prompts do not count, by reason.
        without: shares of prompts without context; NaN where a template has no prompt.
        with_context: the same with context.
    """

    relation: str
    k: int
    prompts: tuple[int, ...]
    dropped: Mapping[str, int]
    without: Float[Tensor, "templates n_layers n_heads"]
    with_context: Float[Tensor, "templates n_layers n_heads"]


def dynamic_scores(inference: Inference, questions: Sequence[Question]) -> Iterator[Dynamic]:
    """Score all heads on relations in inference.

    Args:
        inference: the model.
        questions: relations, each of a name of its own.

    Yields:
        The relations' scores, in float64 on the CPU, in the order given, each as soon as its last
        prompt is through.

    Raises:
        SettingInvalid: a target that does not count.
    """
    cases = [case for question in questions for cases in question.cases for case in cases]
    prompts = list(dict.fromkeys(case.prompt for case in cases))
    place = {prompt: at for at, prompt in enumerate(prompts)}
    pairs = sorted({(place[case.prompt], target) for case in cases for target in case.targets})
    k_max = max((question.k for question in questions), default=1)
    index = {pair: at for at, pair in enumerate(pairs)}
    counts = [_Count(question, place, index, inference.model) for question in questions]
    shares = not prompts or may_share(inference, prompts[0])
    most, end = _round(inference), 0
    for first in range(0, len(prompts), most):
        some, begin = prompts[first : first + most], end
        some = some if shares else [replace(prompt, first=0) for prompt in some]
        end = bisect_left(pairs, (first + most, 0))
        asked = [(row - first, target) for row, target in pairs[begin:end]]
        ranks = dynamic_ranks(inference, some, asked, k_max)
        for count in counts:
            count.add(begin, ranks)
        while counts and counts[0].last < first + len(some):
            yield counts.pop(0).scores()
    yield from (count.scores() for count in counts)


def _round(inference: Inference) -> int:
    """Prompts of which what is kept, in all layers, takes no more memory than a pass."""
    model, dims = inference.model, inference.model.dims
    numbers = dims.n_layers * (dims.d_model + dims.n_heads * dims.d_head)
    return max(1, memory(model.device) // (numbers * model.dtype.itemsize))


class _Count:
    """How often each head succeeded on one relation so far.

    Args:
        question: the relation.
        place: the index of each prompt.
        pairs: the index of each pair of prompt and target.
        model: the checkpoint.
    """

    def __init__(
        self,
        question: Question,
        place: Mapping[SourcePrompt, int],
        pairs: Mapping[tuple[int, int], int],
        model: Model,
    ) -> None:
        self.question = question
        self.prompts = [{place[case.prompt] for case in cases} for cases in question.cases]
        self.last = max((at for own in self.prompts for at in own), default=-1)
        wanted = [
            {(place[case.prompt], target) for case in cases for target in case.targets}
            for cases in question.cases
        ]
        self.own = [sorted((pairs[pair], pair[0]) for pair in own) for own in wanted]
        dims = model.dims
        shape = (2, len(self.own), dims.n_layers * dims.n_heads)
        self.hits = torch.zeros(shape, dtype=torch.float64)
        self.dims = dims

    def add(self, begin: int, ranks: Int[Tensor, "2 n_heads candidates"]) -> None:
        """Count what became of some pairs; begin is the index of the first."""
        end = begin + ranks.shape[2]
        for template, own in enumerate(self.own):
            some = own[bisect_left(own, (begin, 0)) : bisect_left(own, (end, 0))]
            if some:
                rows, of = torch.tensor([row for _, row in some]).unique(return_inverse=True)
                reached = ranks[:, :, [at - begin for at, _ in some]]
                for hits, each in zip(self.hits[:, template], reached, strict=True):
                    hits += (best_ranks(each, of, len(rows)) < self.question.k).sum(dim=1)

    def scores(self) -> Dynamic:
        """Shares of the prompts."""
        question, prompts = self.question, tuple(map(len, self.prompts))
        shares = self.hits / torch.tensor(prompts)[:, None]
        without, with_context = shares.unflatten(2, (self.dims.n_layers, self.dims.n_heads))
        return Dynamic(
            question.relation, question.k, prompts, question.dropped, without, with_context
        )


def dynamic_ranks(
    inference: Inference,
    prompts: Sequence[SourcePrompt],
    pairs: Sequence[tuple[int, int]],
    k_max: int,
) -> Int[Tensor, "2 n_heads candidates"]:
    """Run prompts once, and rank targets in what every head writes at their last position.

    Args:
        inference: the model.
        prompts: what is run; memory is needed for all of them at once.
        pairs: the index of a prompt, and the token id of a target.
        k_max: ranks from here on are not told apart.

    Returns:
        How many logits come before each target's, without and with context, for the heads of all
        layers, one layer after the other, on the CPU; k_max: as many or more, or a row of logits
        that are all equal or not finite.
    """
    model, dims = inference.model, inference.model.dims
    read, z = run_prompts(inference, prompts)
    rows = torch.tensor([row for row, _ in pairs], device=model.device)
    rows = torch.cat([rows, rows + len(prompts)])
    targets = inference.column([id for _, id in pairs]).repeat(2)
    above: list[Tensor] = []
    at_once = max(1, HEADS_AT_ONCE // dims.n_heads)
    for start in range(0, dims.n_layers, at_once):
        layers = range(dims.n_layers)[start : start + at_once]
        heads = [model.heads(layer) for layer in layers]
        values = [_values(read[layer], own) for layer, own in zip(layers, heads, strict=True)]
        wrote = z[layers.start : layers.stop].movedim(2, 1).flatten(0, 1)
        y = torch.cat([torch.cat(values), wrote], dim=1)
        W_O = torch.cat([own.W_O for own in heads])
        ranks = rank_targets(y, W_O, inference.columns, rows, targets, k_max)
        above.append(ranks.above.to("cpu", torch.int16))
    return torch.stack(torch.cat(above).split(len(pairs), dim=1))


def _values(
    read: Float[Tensor, "prompts d_model"], heads: LayerHeads
) -> Float[Tensor, "n_heads prompts d_head"]:
    """The value vectors that each query head would gather from what attention read."""
    values = read @ heads.W_V
    if heads.b_V is not None:
        values = values + heads.b_V[:, None]
    return values.repeat_interleave(len(heads.W_O) // len(heads.W_V), dim=0)
