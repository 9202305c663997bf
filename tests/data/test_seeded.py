"""Random transforms seeded for each item: who draws an item, when and in which worker makes no difference."""

import torch
from monai.data import CacheDataset, DataLoader, Dataset
from monai.transforms import Compose, RandFlipd, RandGaussianNoised

from ganglion.data import PlainCompose, SeededItems

TRANSFORM = Compose(
    [
        RandFlipd(keys="image", prob=0.5, spatial_axis=0),
        PlainCompose([RandGaussianNoised(keys="image", prob=1.0, std=0.5)]),
    ]
)


def items():
    return [{"image": torch.arange(6.0).reshape(1, 2, 3) + number} for number in range(4)]


def drawn(data, order):
    return {index: data[index]["image"].clone() for index in order}


def test_order_makes_no_difference_but_item_and_pass_do():
    data = SeededItems(Dataset(items(), TRANSFORM))
    data.begin_pass(7)
    forward = drawn(data, range(4))
    data[2]
    backward = drawn(data, (3, 2, 1, 0))
    assert all(torch.equal(forward[index], backward[index]) for index in range(4))
    assert len({float((forward[index] - items()[index]["image"]).std()) for index in range(4)}) == 4
    data.begin_pass(8)
    assert not any(torch.equal(forward[index], image) for index, image in drawn(data, range(4)).items())


def test_workers_and_cache_draw_the_same():
    plain, cached = (
        SeededItems(Dataset(items(), TRANSFORM)),
        SeededItems(CacheDataset(items(), TRANSFORM, progress=False)),
    )
    expected = drawn(plain, range(4))
    found = [batch["image"][0] for batch in DataLoader(cached, batch_size=1, num_workers=1)]
    assert all(torch.equal(torch.as_tensor(found[index]), torch.as_tensor(expected[index])) for index in range(4))
    assert plain.data is plain.dataset.data
