"""Random transforms seeded for each item: who draws an item, when and in which worker makes no difference."""

import pytest
import torch
from monai.data import CacheDataset, DataLoader, Dataset
from monai.transforms import Compose, RandFlipd, RandGaussianNoised

from ganglion.data import DrawnItems, MixedItems, PlainCompose, SeededItems
from ganglion.errors import InputError

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


NUMBERS = [{"image": torch.full((1, 1), float(number))} for number in range(3)]


def draws(data, seed):
    data.begin_pass(seed)
    return [float(data[index]["image"]) for index in range(len(data))]


def test_a_pass_of_few_items_draws_each_as_often_as_any_other_in_changing_order():
    data = DrawnItems(Dataset(NUMBERS, None), 7)
    first = draws(data, 5)
    assert len(data) == 7
    assert sorted(first[:3]) == sorted(first[3:6]) == [0, 1, 2]
    assert draws(data, 5) == first
    assert len({tuple(draws(data, seed)) for seed in range(6)}) > 3
    assert len({tuple(draws(data, seed)[:3]) == tuple(draws(data, seed)[3:6]) for seed in range(9)}) == 2


def test_every_draw_has_augmentation_of_its_own_whoever_draws_it():
    data = DrawnItems(Dataset(items()[:1], TRANSFORM), 4)
    data.begin_pass(7)
    forward, backward = drawn(data, range(4)), drawn(data, (3, 1, 2, 0))
    assert all(torch.equal(forward[index], backward[index]) for index in range(4))
    assert len({float(image.std()) for image in forward.values()}) == 4


@pytest.mark.parametrize(("length", "number"), [(0, 3), (2, 0)])
def test_a_pass_without_draws_is_refused(length, number):
    with pytest.raises(InputError, match=f"found {length} draws in a pass from {number} items"):
        DrawnItems(Dataset(NUMBERS[:number], None), length)


def test_mixed_items_are_drawn_by_their_shares_whoever_draws_them():
    sets = [Dataset([{"value": f"{name}{k}"} for k in range(5)], Compose([])) for name in "abc"]
    mixed = MixedItems(sets, [1.0, 3.0, 0.0], 400)
    mixed.begin_pass(3)
    drawn = [mixed[k]["value"] for k in range(400)]
    assert len(mixed) == 400
    assert {item["value"][0] for item in mixed.data} == {"a", "b"}
    assert 70 < sum(value[0] == "a" for value in drawn) < 130
    assert set(drawn) == {f"{name}{k}" for name in "ab" for k in range(5)}
    other = MixedItems(sets, [1.0, 3.0, 0.0], 400)
    other.begin_pass(3)
    assert [other[k]["value"] for k in range(399, -1, -1)] == drawn[::-1]
    other.begin_pass(4)
    assert [other[k]["value"] for k in range(400)] != drawn


@pytest.mark.parametrize("shares", [[1.0], [0.0, 0.0], [1.0, -1.0]])
def test_shares_that_make_no_sense_are_refused(shares):
    with pytest.raises(InputError, match="expected one of each"):
        MixedItems([Dataset([1], Compose([]))] * 2, shares, 4)
