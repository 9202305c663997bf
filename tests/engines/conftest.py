"""What the engines' tests share: the toy training, processes to run it in, a two-weight model."""

import importlib.util
import multiprocessing
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

TOY = Path(__file__).with_name("toy_training.py")


@pytest.fixture(scope="session")
def toy():
    """The module `toy_training`."""
    spec = importlib.util.spec_from_file_location("toy_training", TOY)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_training"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def process(toy):
    """Run the toy training with arguments in a process of its own; gives the exit code."""

    def run(*arguments):
        def work():
            sys.argv = ["toy_training", *map(str, arguments)]
            torch.set_num_threads(1)
            toy.main()

        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join(120)
        return child.exitcode

    return run


OPERATIONS = {"open", "write", "flush", "fsync", "chmod", "umask", "link", "replace", "unlink", "close", "mkdir"}


@pytest.fixture
def at_operation():
    """Do something instead of the n-th operation on files from now on; a profiler sees each call into C."""

    def arm(number, act):
        count = 0

        def watch(frame, event, called):
            nonlocal count
            if event == "c_call" and called.__name__ in OPERATIONS:
                count += 1
                if count == number:
                    sys.setprofile(None)
                    act()

        sys.setprofile(watch)

    yield arm
    sys.setprofile(None)


class Scale(nn.Module):
    """y = w x + b, the two-weight model whose every step is arithmetic."""

    def __init__(self, weight=0.0, bias=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(float(weight)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, x):
        return self.weight * x + self.bias


@pytest.fixture
def scale():
    """The class of the two-weight model."""
    return Scale


@pytest.fixture
def batches():
    """Six batches of two numbers each, in a list, which is a data loader to the trainer."""
    return [
        {
            "image": torch.tensor([[1.0 + n], [2.0 + n]]),
            "label": torch.tensor([[1.0], [0.0]]),
            "subject": [f"sub-{2 * n:03d}", f"sub-{2 * n + 1:03d}"],
        }
        for n in range(6)
    ]
