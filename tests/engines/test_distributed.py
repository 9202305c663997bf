"""Two processes that share the work do what one does alone: gradients meet over gloo, on the CPU."""

import multiprocessing
import os

import pytest
import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ganglion.engines import AlternatingTrainer, Phase
from ganglion.engines.handlers import TrainingRun
from ganglion.engines.handlers.checkpoint import load_plain


class Supervised:
    """A loss of the segmenter that depends on the critic's present weights."""

    def __call__(self, networks, batch):
        prediction = networks["segmenter"](batch["image"])
        return {"loss": (prediction - batch["label"]).square().mean() - 0.1 * networks["critic"](prediction).mean()}


class Distance:
    """Calls the trained critic twice, on detached fakes and on truth."""

    def __call__(self, networks, batch):
        fake = networks["segmenter"](batch["image"]).detach()
        return {"loss": (networks["critic"](fake) - networks["critic"](batch["label"])).square().mean()}


def data(rank, world, accumulate):
    generator = torch.Generator().manual_seed(1)
    image, label = torch.randn(24, 3, generator=generator), torch.randn(24, 1, generator=generator)
    size = 12 // (world * accumulate)
    parts = [{"image": i, "label": t} for i, t in zip(image.split(size), label.split(size), strict=True)]
    return parts[rank::world]


def train(folder, rank=0, world=1, accumulate=1, epochs=2):
    torch.manual_seed(0)
    nets = {"segmenter": nn.Linear(3, 1), "critic": nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))}
    wrapped = {k: DistributedDataParallel(v, broadcast_buffers=False) for k, v in nets.items()} if world > 1 else nets
    phases = [
        Phase("critic", "critic", torch.optim.SGD(wrapped["critic"].parameters(), 0.1, momentum=0.9), Distance()),
        Phase("segmenter", "segmenter", torch.optim.SGD(wrapped["segmenter"].parameters(), 0.1), Supervised()),
    ]
    run = TrainingRun(folder, tensorboard=False, progress=False)
    loader = data(rank, world, accumulate)
    trainer = AlternatingTrainer(
        "cpu", epochs, loader, wrapped, "segmenter", phases, accumulate=accumulate, train_handlers=[run]
    )
    trainer.run()
    return trainer


def work(rank, folder, accumulate, epochs):
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = f"file://{folder}.store{epochs}"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    trainer = train(folder, rank, 2, accumulate, epochs)
    assert trainer.state.rank == rank
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo")
@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_equal_one(tmp_path, accumulate):
    """Also with gradients held back over two batches each, and resumed after the first epoch."""
    train(tmp_path / "alone")
    for epochs in (1, 2):
        context = multiprocessing.get_context("fork")
        pair = [context.Process(target=work, args=(r, tmp_path / "pair", accumulate, epochs)) for r in range(2)]
        for process in pair:
            process.start()
        for process in pair:
            process.join(120)
        assert [process.exitcode for process in pair] == [0, 0]
    for name in ("segmenter", "critic"):
        alone, together = (load_plain(tmp_path / kind / "networks" / f"{name}.pt") for kind in ("alone", "pair"))
        assert alone.keys() == together.keys()
        for key, value in alone.items():
            assert torch.allclose(value, together[key], atol=1e-6), key
    text = (tmp_path / "pair" / "log.txt").read_text()
    assert text.count("epoch 1/1  ") == 1
