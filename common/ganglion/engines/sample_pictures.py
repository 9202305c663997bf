"""Pictures of samples: contrasts in grey beside each other, the label map in colour over the last one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

# Of each code from 1 on: distinguishable by those who see red and green alike.
COLOURS = np.array([[0.90, 0.62, 0.0], [0.34, 0.71, 0.91], [0.80, 0.47, 0.65], [0.0, 0.62, 0.45], [0.94, 0.89, 0.26]])
_OPACITY = 0.55
_GAP = 2


def tile(joint: Tensor, contrasts: int) -> np.ndarray:
    """One sample (C + labels, R, R) as a row of pictures: C grey ones, then the last with its labels, (R, W, 3)."""
    grey = ((joint[:contrasts].float().clamp(-1, 1) + 1) / 2).numpy().transpose(0, 2, 1)[:, ::-1]
    codes = joint[contrasts:].argmax(dim=0).numpy().T[::-1]
    pictures = [np.repeat(each[..., None], 3, axis=2) for each in grey]
    over = pictures[-1].copy()
    shown = codes > 0
    over[shown] = (1 - _OPACITY) * over[shown] + _OPACITY * COLOURS[(codes[shown] - 1) % len(COLOURS)]
    return np.concatenate([*pictures, over], axis=1)


def write_mosaic(path: Path, samples: Tensor, contrasts: int, columns: int = 2) -> None:
    """Write samples (N, C + labels, R, R), row by row, as one PNG; the nose is at the top."""
    from matplotlib.image import imsave

    tiles = [tile(sample, contrasts) for sample in samples]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    framed = [np.pad(each, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=1.0) for each in tiles]
    rows = [np.concatenate(framed[first : first + columns], axis=1) for first in range(0, len(framed), columns)]
    imsave(path, np.clip(np.concatenate(rows, axis=0), 0, 1))
