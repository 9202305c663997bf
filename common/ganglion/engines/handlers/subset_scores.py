"""Evaluation handler: scores of every subset of the contrasts that a subject has, from one pass over each contrast."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import torch
from ignite.engine import Engine
from monai.transforms import MapTransform
from torch import Tensor, nn

from ...errors import InputError
from ...keys import HELD, IMAGE, LABEL, PRED, PROBABILITY, SUBJECT
from ...metrics import METRICS
from .subject_scores import SubjectScores

JOINED = "+"  # between the contrasts of a subset's name


def subsets_of(contrasts: Sequence[str]) -> list[tuple[str, ...]]:
    """All non-empty subsets, smallest first, in the order of the contrasts: 15 of four."""
    return [subset for size in range(1, len(contrasts) + 1) for subset in combinations(contrasts, size)]


def fuse_contrasts(probabilities: Tensor, places: Sequence[int], weights: Tensor | None = None) -> Tensor:
    """Weighted mean of some contrasts' probabilities, as the deployed network fuses them.

    Args:
        probabilities: of the foreground from each contrast alone, (n, X, Y, Z).
        places: which of them to fuse.
        weights: (n,), of any sum; None weighs them alike.

    Returns:
        (1, X, Y, Z).
    """
    chosen = list(places)
    if weights is None:
        return probabilities[chosen].mean(dim=0, keepdim=True)
    share = weights[chosen].to(probabilities) / weights[chosen].sum().to(probabilities)
    return (probabilities[chosen] * share.reshape(-1, 1, 1, 1)).sum(dim=0, keepdim=True)


class FuseContrastsd(MapTransform):
    """Of the probabilities from each contrast alone (n, X, Y, Z) the fused one (1, X, Y, Z) of those that are there.

    Args:
        keys: keys of the probabilities.
        contrasts: names of the n contrasts.
        network: the deployed network, whose weights of the contrasts count where it has learnt any.
        image_key: key of the image, whose meta tells which contrasts are there.
    """

    def __init__(
        self, keys: Any = PRED, contrasts: Sequence[str] = (), network: Any = None, image_key: str = IMAGE
    ) -> None:
        super().__init__(keys)
        self.contrasts, self.network, self.image_key = tuple(contrasts), network, image_key

    def __call__(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """The item with one fused map in place of one for each contrast."""
        item = dict(data)
        held = held_by(item[self.image_key], self.contrasts)
        places = [self.contrasts.index(name) for name in held]
        for key in self.key_iterator(item):
            item[key] = fuse_contrasts(item[key], places, learnt_weights(self.network))
        return item


class SubsetScores(SubjectScores):
    """Scores of a subject from each subset of its contrasts, as `SubjectScores` gives them, with subsets as regions.

    Labels of a subset are the mean, or the learnt weighting, of what the network says of each contrast alone: what the
    deployed network does with an image of these contrasts, at the price of one pass for each contrast. A region's name
    joins the contrasts, ``T1+FLAIR``. The rows ``any 1``, ``any 2``, ... hold a subject's mean over all subsets of so
    many contrasts; they are there for subjects that have every contrast, of which there are two or more.

    Args:
        output_dir: folder for scores.csv and scores.json; None writes none.
        contrasts: names of the contrasts, in the order of the network's channels.
        network: the deployed network, whose weights of the contrasts count where it has learnt any.
        threshold: probability from which a voxel is foreground.
        each_key: key of the probabilities from each contrast alone, (n, X, Y, Z).
        label_key: key of the label; every code above 0 counts.
        image_key: key of the image, whose meta tells which contrasts are there.
        seed: of the bootstrap interval.
    """

    def __init__(
        self,
        output_dir: Any,
        contrasts: Sequence[str],
        network: Any = None,
        threshold: float = 0.5,
        each_key: str = PROBABILITY,
        label_key: str = LABEL,
        image_key: str = IMAGE,
        seed: int = 0,
    ) -> None:
        self.contrasts, self.network, self.threshold = tuple(contrasts), network, threshold
        self.image_key = image_key
        names = [JOINED.join(subset) for subset in subsets_of(self.contrasts)]
        if len(set(names)) < len(names) or not names:
            raise InputError(f"contrasts: found {', '.join(contrasts) or 'none'}, expected names, each once.")
        means = [_mean_name(size) for size in range(1, len(self.contrasts))]
        regions = dict.fromkeys([*names, *means], 1)
        super().__init__(output_dir, pred_key=each_key, label_key=label_key, seed=seed, regions=regions)

    def _masks(self, case: Mapping[str, Any]) -> Iterator[tuple[str, Tensor, Tensor]]:
        held, label = held_by(case[self.image_key], self.contrasts), case[self.label_key] > 0
        for subset in subsets_of(held):
            places = [self.contrasts.index(name) for name in subset]
            fused = fuse_contrasts(case[self.pred_key], places, learnt_weights(self.network))
            yield JOINED.join(subset), fused >= self.threshold, label

    def _score(self, engine: Engine) -> None:
        former = len(self.rows)
        super()._score(engine)
        new = self.rows[former:]
        for subject in dict.fromkeys(row[SUBJECT] for row in new):
            own = {row["region"]: row for row in new if row[SUBJECT] == subject}
            for size in range(1, len(self.contrasts)):
                names = [JOINED.join(subset) for subset in subsets_of(self.contrasts) if len(subset) == size]
                if set(names) <= set(own):
                    self._add({SUBJECT: subject, "region": _mean_name(size)} | _mean([own[name] for name in names]))


def held_by(image: Any, contrasts: Sequence[str]) -> list[str]:
    """Which contrasts an image has, by its meta; where that says nothing, all whose channel is not constant."""
    told = getattr(image, "meta", {}).get(HELD)
    if told:
        return [name for name in contrasts if name in str(told).split(",")] or list(contrasts)
    return [name for name, channel in zip(contrasts, image, strict=True) if bool((channel != channel.min()).any())]


def learnt_weights(network: Any) -> Tensor | None:
    """Weights (n,) of the contrasts that the deployed network has learnt; None if it takes their mean."""
    network = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
    logits = getattr(network, "fusion", None)
    return None if logits is None else torch.exp(logits.detach().float().cpu())


def _mean_name(size: int) -> str:
    return f"any {size}"


def _mean(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means of the numbers of several rows; the flag that one of them has."""
    numbers = (*METRICS, "pred_ml", "label_ml")
    flags = [str(row["empty"]) for row in rows if row["empty"]]
    means = {name: math.fsum(float(row[name]) for row in rows) / len(rows) for name in numbers}
    return {**means, "empty": flags[0] if flags else ""}
