"""Several networks behind one state dict: names, the call, and that nothing is copied."""

import torch
from torch import nn

from ganglion.networks import Together


def test_together_calls_the_deployed_network_and_holds_the_others():
    networks = {"segmenter": nn.Linear(3, 1), "critic": nn.Linear(1, 2)}
    together = Together(networks, "segmenter")
    assert set(together.state_dict()) == {"segmenter.weight", "segmenter.bias", "critic.weight", "critic.bias"}
    image = torch.rand(4, 3)
    assert torch.equal(together(image), networks["segmenter"](image))
    together.load_state_dict({name: torch.zeros_like(value) for name, value in together.state_dict().items()})
    assert not networks["critic"].weight.any()
