"""In which form a discriminator sees label maps, so that it cannot win on real ones being hard and drawn ones soft.

Real maps are one-hot, drawn ones probabilities: left as they are, a discriminator tells them apart by that alone, and
training images with labels has been reported to be unstable where images alone trained well. The remedies:

| remedy | real maps | drawn maps | discriminators |
| --- | --- | --- | --- |
| soft | blurred a little, mixed with some of the uniform distribution | as they are | one, of image and map |
| straight_through | one-hot | one-hot of the most probable label, gradient as if they were soft | one |
| distance | softmax of clipped distances to each label's border | as they are | one |
| second | as soft | as they are | one of the image, a second of image and map that only the map learns from |

The fourth after Li et al., Semantic segmentation with generative models (2021), whose second discriminator is
multi-scale and sees logits. All maps are brought from [0, 1] to [-1, 1], the images' range.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks import one_hot
from torch import Tensor

from ...errors import InputError

REMEDIES = ("soft", "straight_through", "distance", "second")
DISCRIMINATOR, LABEL_DISCRIMINATOR = "discriminator", "label_discriminator"


class LabelForm:
    """What each discriminator is shown of images and label maps.

    Args:
        remedy: one of the table above.
        labels: codes of the label map, background included.
        blur: sigma in pixels of the blur of ``soft``.
        uniform: share of the uniform distribution in ``soft``.
        reach: distance in pixels, along an axis or a diagonal, at which ``distance`` is clipped.
        temperature: pixels of distance that change the logarithm of odds by one.
    """

    def __init__(
        self,
        remedy: str = "soft",
        labels: int = 4,
        blur: float = 0.5,
        uniform: float = 0.05,
        reach: int = 4,
        temperature: float = 1.0,
    ) -> None:
        if remedy not in REMEDIES:
            raise InputError(f"remedy is {remedy!r}, expected one of {', '.join(REMEDIES)}")
        if blur < 0 or not 0 <= uniform < 1 or reach < 1 or not temperature > 0:
            raise InputError(
                f"blur {blur}, uniform {uniform}, reach {reach}, temperature {temperature}: expected at least 0, a "
                "share below 1, at least 1, above 0"
            )
        self.remedy, self.labels, self.blur, self.uniform = remedy, labels, blur, uniform
        self.reach, self.temperature = reach, temperature

    @torch.no_grad()
    def real(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Views of real images (B, C, H, W) with codes (B, 1, H, W), by name of the discriminator."""
        if int(label.max()) >= self.labels or int(label.min()) < 0:
            raise InputError(f"label code {int(label.max())} found, expected 0 to {self.labels - 1}; see `labels`")
        hard = one_hot(label, self.labels, image.dtype)
        shown = {"straight_through": lambda: hard, "distance": lambda: self._distances(hard)}
        return self._views(image, shown.get(self.remedy, lambda: self._soften(hard))())

    def drawn(self, joint: Tensor) -> dict[str, Tensor]:
        """Views of drawn images with their probabilities, (B, C + labels, H, W), by name of the discriminator."""
        image, probability = joint[:, : -self.labels], joint[:, -self.labels :]
        if self.remedy == "straight_through":
            hard = one_hot(probability.argmax(dim=1, keepdim=True), self.labels, probability.dtype)
            probability = hard + probability - probability.detach()
        return self._views(image, probability)

    def without_labels(self, view: Tensor) -> Tensor:
        """A view of image and map with 0 in place of the map."""
        return torch.cat([view[:, : -self.labels], torch.zeros_like(view[:, -self.labels :])], dim=1)

    def _views(self, image: Tensor, shown: Tensor) -> dict[str, Tensor]:
        signed = 2 * shown - 1
        if self.remedy != "second":
            return {DISCRIMINATOR: torch.cat([image, signed], dim=1)}
        return {DISCRIMINATOR: image, LABEL_DISCRIMINATOR: torch.cat([image.detach(), signed], dim=1)}

    def _soften(self, hard: Tensor) -> Tensor:
        if self.blur > 0:
            places = torch.arange(-2, 3, device=hard.device, dtype=hard.dtype)
            line = torch.exp(-0.5 * (places / self.blur) ** 2)
            kernel = (torch.outer(line, line) / line.sum() ** 2).expand(self.labels, 1, -1, -1)
            with torch.autocast(hard.device.type, enabled=False):
                hard = F.conv2d(F.pad(hard, (2, 2, 2, 2), mode="replicate"), kernel, groups=self.labels)
            hard = hard / hard.sum(dim=1, keepdim=True)
        return (1 - self.uniform) * hard + self.uniform / self.labels

    def _distances(self, hard: Tensor) -> Tensor:
        """Softmax over labels of minus the signed distance to a label's border, counted in steps of a dilation."""
        outside, inside, grown, shrunk = torch.zeros_like(hard), torch.zeros_like(hard), hard, hard
        for _ in range(self.reach):
            outside, inside = outside + (1 - grown), inside + shrunk
            grown = F.max_pool2d(grown, 3, stride=1, padding=1)
            shrunk = -F.max_pool2d(-shrunk, 3, stride=1, padding=1)
        return torch.softmax((inside - outside) / self.temperature, dim=1)
