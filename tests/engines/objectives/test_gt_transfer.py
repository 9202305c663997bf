"""A generator that is told tissues: what its images are made from, terms, gradients, and whose labels they have."""

import pytest
import torch
from monai.losses import DiceLoss
from monai.metrics import compute_dice
from monai.networks import one_hot

from ganglion.engines.objectives.few_labels import DiscriminatorObjective, SupervisedObjective
from ganglion.engines.objectives.gt_transfer import (
    SyntheticLabelsObjective,
    Transfer,
    TransferObjective,
    bent,
    flipped,
)
from ganglion.errors import InputError
from ganglion.losses import edge_loss, generated_loss, labelled_loss, tissue_edges, unlabelled_loss
from ganglion.networks import TransferGenerator, WeightNormUNet

NOISE = 4


@pytest.fixture
def networks():
    return make_networks()


def make_networks(**arguments):
    torch.manual_seed(0)
    return {
        "generator": TransferGenerator(2, noise_size=NOISE, width=2, **arguments),
        "discriminator": WeightNormUNet(2, 4, width=2),
    }


@pytest.fixture
def generate():
    return Transfer(NOISE)


def gradients(network):
    return [p.grad is not None and bool(p.grad.any()) for p in network.parameters()]


def patches(number: int, seed: int) -> dict[str, torch.Tensor]:
    """Patches of two contrasts with tissues in random cuboids; the second contrast has them in another order."""
    rng = torch.Generator().manual_seed(seed)
    label = torch.zeros(number, 1, 16, 16, 16)
    for sample in range(number):
        for _ in range(6):
            low = torch.randint(0, 12, (3,), generator=rng).tolist()
            sides = torch.randint(4, 9, (3,), generator=rng).tolist()
            box = tuple(slice(a, a + b) for a, b in zip(low, sides, strict=True))
            label[sample, 0][box] = torch.randint(0, 4, (1,), generator=rng).float()
    first = label / 3 * 1.6 - 0.8
    second = torch.tensor([-0.8, 0.8, -0.2, 0.3])[label.long()]
    image = torch.cat([first, second], dim=1) + 0.05 * torch.randn(number, 2, 16, 16, 16, generator=rng)
    return {"image": image.clamp(-1, 1), "label": label}


@pytest.mark.parametrize(
    ("size", "share", "expected"), [(4, 0.5, 2), (5, 0.5, 2), (1, 0.5, 0), (4, 0.0, 0), (4, 1.0, 4)]
)
def test_half_of_the_conditioning_images_are_labelled_and_maps_are_drawn_from_the_labelled(size, share, expected):
    labelled, unlabelled = patches(size, 1), patches(size, 2)
    batch = {"labelled": labelled, "unlabelled": {"image": unlabelled["image"]}}
    image, label, chosen = Transfer(NOISE, labelled_share=share).draw(batch)
    assert (image.shape, label.shape, len(chosen)) == ((size, 2, 16, 16, 16), (size, 1, 16, 16, 16), expected)

    def among(each, others):
        return any(torch.equal(each, other) for other in others)

    assert all(among(each, unlabelled["image"]) for each in image[: size - expected])
    assert torch.equal(image[size - expected :], labelled["image"][chosen])
    assert all(among(each, labelled["label"]) for each in label)


def test_maps_change_and_do_not_belong_to_the_image(generate):
    labelled = patches(4, 1)
    batch = {"labelled": labelled, "unlabelled": {"image": patches(4, 2)["image"]}}
    own = [torch.equal(label, labelled["label"][i]) for _ in range(20) for label, i in drawn_labelled(generate, batch)]
    assert 0.05 < sum(own) / len(own) < 0.6


def drawn_labelled(generate, batch):
    _, label, chosen = generate.draw(batch)
    return zip(label[-len(chosen) :], chosen.tolist(), strict=True)


def test_each_phase_reaches_its_own_network(networks, batch, generate):
    DiscriminatorObjective(generate, generated_weight=2.0)(networks, batch)["loss"].backward()
    assert all(gradients(networks["discriminator"]))
    assert not any(gradients(networks["generator"]))
    networks["discriminator"].requires_grad_(False)
    for layer in networks["generator"].modules():  # neutral GT layers let nothing through to R
        if hasattr(layer, "scale_and_shift"):
            torch.nn.init.normal_(layer.scale_and_shift.weight, std=0.1)
    TransferObjective(generate)(networks, batch)["loss"].backward()
    assert all(gradients(networks["generator"]))
    networks["generator"].boundary.zero_grad()
    TransferObjective(generate, 0, 0, 0, 1)(networks, batch)["loss"].backward()
    assert all(gradients(networks["generator"].boundary))


def test_terms_are_what_they_are_called(networks, batch, generate):
    objective = TransferObjective(generate, 2.0, 0.3, 5.0, 0.7, edge_positive_weight=3.0)
    torch.manual_seed(5)
    terms = objective(networks, batch)
    torch.manual_seed(5)
    image, label, _ = generate.draw(batch)
    ours, own = batch["labelled"]["image"], batch["labelled"]["label"]
    made, edges = generate.make(networks, torch.cat([image, ours]), torch.cat([label, own]))
    generated, again = made.chunk(2)
    logits, features = networks["discriminator"].with_features(generated)
    _, wanted = networks["discriminator"].with_features(batch["unlabelled"]["image"])
    expected = {
        "features": (features.mean(0) - wanted.mean(0)).square().mean(),
        "adversarial": unlabelled_loss(logits),  # softplus(-s): not "generated", but "real"
        "reconstruction": (again - ours).square().mean(),
        "edges": edge_loss(edges[2:], tissue_edges(one_hot(own, 4)), 3.0),
    }
    assert {name: terms[name].item() for name in expected} == pytest.approx({n: v.item() for n, v in expected.items()})
    weights = {"features": 2.0, "adversarial": 0.3, "reconstruction": 5.0, "edges": 0.7}
    total = sum(weights[name] * value for name, value in expected.items())
    assert terms["loss"].item() == pytest.approx(total.item(), rel=1e-5)
    assert not terms["code_effect"].requires_grad


def test_the_discriminator_learns_from_such_images_with_the_papers_weights(networks, batch, generate):
    torch.manual_seed(3)
    terms = DiscriminatorObjective(generate, generated_weight=2.0, drift_weight=0.001)(networks, batch)
    torch.manual_seed(3)
    fakes = networks["discriminator"](generate.of_batch(networks, batch))
    assert terms["generated"].item() == pytest.approx(generated_loss(fakes).item(), rel=1e-5)
    total = terms["labelled"] + terms["unlabelled"] + 2 * terms["generated"] + 0.001 * terms["drift"]
    assert terms["loss"].item() == pytest.approx(total.item(), rel=1e-6)


def test_mode_seeking_reaches_a_generator_that_ignores_what_it_is_told(batch, generate):
    networks = make_networks()
    layer = networks["generator"].decoder.levels[2].second.modulated.scale_and_shift
    torch.nn.init.normal_(layer.weight, std=1e-3)  # two images that are the very same have no gradient
    alone = TransferObjective(generate, 0.0, 0.0, 1e-9, 0.0, diversity_weight=1.0)
    terms = alone(networks, batch)
    assert 19 < terms["diversity"].item() < 20  # twice the cap where both images are the same
    terms["loss"].backward()
    assert layer.weight.grad.abs().max() > 1e-2
    assert "diversity" not in TransferObjective(generate)(networks, batch)


def test_dice_is_beside_the_cross_entropy_where_it_is_asked_for(networks, batch, generate):
    terms = {}
    for weight in (0.0, 2.0):
        torch.manual_seed(3)
        terms[weight] = DiscriminatorObjective(generate, dice_weight=weight)(networks, batch)
    assert "dice" not in terms[0.0]
    dice = DiceLoss(softmax=True, to_onehot_y=True, squared_pred=True, smooth_nr=1e-6, smooth_dr=1e-6)
    expected = dice(networks["discriminator"](batch["labelled"]["image"]), batch["labelled"]["label"])
    assert terms[2.0]["dice"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert (terms[2.0]["loss"] - terms[0.0]["loss"]).item() == pytest.approx(2 * expected.item(), rel=1e-4)


def test_terms_follow_the_parts_of_the_generator(batch, generate):
    assert "edges" not in TransferObjective(generate)(make_networks(boundary=False), batch)
    alone = TransferObjective(generate, 0.0, 0.0)(make_networks(), batch)
    assert set(alone) == {"loss", "reconstruction", "edges", "code_effect"}
    terms = TransferObjective(generate)(make_networks(gt_layer=False), batch)
    assert terms["code_effect"].item() == 0
    with pytest.raises(InputError, match="all weights"):
        TransferObjective(generate, 0, 0, 0, 0)
    with pytest.raises(InputError, match="labelled_share is 2"):
        Transfer(labelled_share=2)


def fitted(objective, networks, network, steps):
    """A network after a few steps, each on patches that it has not seen."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2, betas=(0.5, 0.999))
    for step in range(steps):
        batch = {"labelled": patches(2, step), "unlabelled": {"image": patches(2, 1000 + step)["image"]}}
        terms = objective(networks, batch)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
    return network


def agreement(segmenter, image, label) -> float:
    """Mean Dice of the three tissues that the segmenter finds in an image with those of a map."""
    with torch.no_grad():
        found = one_hot(segmenter(image).argmax(dim=1, keepdim=True), 4)
    return float(compute_dice(found, one_hot(label, 4), include_background=False).nanmean())


def test_labels_of_a_synthetic_image_are_the_maps_where_a_map_places_tissues():
    """A segmenter that has seen real patches alone finds the map's tissues, not those of the image it is made from."""
    torch.manual_seed(0)
    generator = TransferGenerator(2, noise_size=NOISE, width=4, mode="tissue_map")
    fitted(TransferObjective(Transfer(NOISE), 0.0, 0.0), {"generator": generator}, generator, 50)
    segmenter = torch.nn.Sequential(torch.nn.Conv3d(2, 16, 1), torch.nn.LeakyReLU(), torch.nn.Conv3d(16, 4, 1))
    fitted(SupervisedObjective(), {"discriminator": segmenter}, segmenter, 100)
    real, other = patches(4, 501), patches(4, 502)
    assert agreement(segmenter, real["image"], real["label"]) > 0.95
    with torch.no_grad():
        made, _ = generator(real["image"], one_hot(other["label"], 4), torch.zeros(4, NOISE))
    assert agreement(segmenter, made, other["label"]) > 0.7
    assert agreement(segmenter, made, real["label"]) < 0.2


def test_the_third_stage_learns_from_what_was_drawn(batch, generate):
    networks = make_networks(mode="tissue_map")
    objective = SyntheticLabelsObjective(generate, [0.33, 1.5, 0.83, 1.33], 0.5, bend=0.0)
    torch.manual_seed(4)
    terms = objective(networks, batch)
    torch.manual_seed(4)
    image, label, _ = generate.draw(batch)
    label = flipped(label)
    logits = networks["discriminator"](generate.make(networks, image, label)[0])
    expected = labelled_loss(logits, label, [0.33, 1.5, 0.83, 1.33])
    assert terms["synthetic"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert terms["loss"].item() == pytest.approx((terms["labelled"] + 0.5 * terms["synthetic"]).item(), rel=1e-6)
    terms["loss"].backward()
    assert all(gradients(networks["discriminator"]))
    assert not any(gradients(networks["generator"]))


def test_the_third_stage_refuses_a_generator_whose_images_have_no_known_labels(networks, batch, generate):
    with pytest.raises(InputError, match="mode 'vector', whose images have no known labels"):
        SyntheticLabelsObjective(generate)(networks, batch)


@pytest.mark.parametrize("axes", [2, 3])
def test_a_bent_map_has_the_same_codes_a_little_elsewhere(axes):
    label = torch.zeros(8, 1, *[24, 20, 16][:axes])
    label[:, :, 8:16, 6:14] = 3
    assert torch.equal(bent(label, 0.0), label)
    torch.manual_seed(0)
    almost = bent(label, 1e-4)
    assert torch.equal(almost, label)
    moved = bent(label, 1.5)
    assert set(moved.unique().tolist()) == {0, 3}
    assert 0.5 < float(compute_dice(moved > 0, label > 0).mean()) < 0.98


def test_bending_moves_along_the_axis_that_it_says(monkeypatch):
    """One voxel along the first axis alone."""
    label = torch.randint(4, (1, 1, 12, 10, 8)).float()
    shift = torch.zeros(1, 3, 4, 4, 4)
    shift[:, 0] = 1
    monkeypatch.setattr(torch, "randn", lambda *size, **options: shift)
    assert torch.equal(bent(label, 1.0)[:, :, :-1], label[:, :, 1:])


def test_maps_are_flipped_left_to_right_by_chance():
    label = torch.randint(4, (40, 1, 6, 4, 4)).float()
    turned = [torch.equal(made, each.flip(1)) for made, each in zip(flipped(label), label, strict=True)]
    kept = [torch.equal(made, each) for made, each in zip(flipped(label), label, strict=True)]
    assert 8 < sum(turned) < 32
    assert 8 < sum(kept) < 32


@pytest.mark.parametrize("scale", [-1e3, 1e3])
def test_finite_at_extreme_inputs(batch, generate, scale):
    networks = make_networks(mode="tissue_map")
    for part in batch.values():
        part["image"] = part["image"] * scale
    for objective in (TransferObjective(generate), SyntheticLabelsObjective(generate)):
        terms = objective(networks, batch)
        terms["loss"].backward()
        assert all(torch.isfinite(value) for value in terms.values())
    for network in networks.values():
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_autocast_agrees_with_float32(networks, batch, generate):
    found = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found.append(TransferObjective(generate)(networks, batch))
    for name, value in found[0].items():
        assert found[1][name].item() == pytest.approx(value.item(), rel=0.05, abs=0.02)
