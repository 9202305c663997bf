"""An optimiser for a network that has a second, rarer phase of regularisation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from ..errors import InputError


class LazyAdam(torch.optim.Adam):
    """Adam for a phase of each iteration and one of each k-th, corrected for the further step.

    In k iterations it steps k + 1 times, so learning rate and decays are those of c = k / (k + 1) of a step:
    lr c, beta^c. The rare phase multiplies its loss by k.

    Source: Karras et al., Analyzing and improving the image quality of StyleGAN (2020), appendix B, lazy
    regularization.

    Args:
        params: parameters, or groups of them.
        interval: k, ``every`` of the rare phase; None without such a phase.
        lr: learning rate before the correction.
        betas: decays before the correction.
        eps: of Adam.
        options: further ones of torch's Adam.
    """

    def __init__(
        self,
        params: Iterable[Any],
        interval: int | None = None,
        lr: float = 0.002,
        betas: tuple[float, float] = (0.0, 0.99),
        eps: float = 1e-8,
        **options: Any,
    ) -> None:
        if interval is not None and interval < 1:
            raise InputError(f"LazyAdam: interval is {interval}, expected a whole number from 1 on, or null")
        share = 1.0 if interval is None else interval / (interval + 1)
        first, second = betas
        super().__init__(params, lr=lr * share, betas=(first**share, second**share), eps=eps, **options)
