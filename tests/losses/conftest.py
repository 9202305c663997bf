"""What the tests of several losses use."""

import pytest


@pytest.fixture
def gradient_of():
    """Call `gradient_of(loss, tensor)`: the gradient of a scalar loss with respect to a tensor."""

    def gradient(loss, tensor):
        leaf = tensor.detach().clone().requires_grad_(True)
        loss(leaf).backward()
        return leaf.grad

    return gradient
