"""Each sign is seen where it is, and not where it is not; trainings that go wrong are real ones, of a second."""

import math
from pathlib import Path

import pytest
import torch
from monai.data import DataLoader, Dataset

from ganglion.engines import AlternatingTrainer, ClampWeights, Phase, prepare_run
from ganglion.engines.handlers import TrainingRun
from ganglion.engines.objectives.segan_transfer import CriticObjective, SegmenterObjective
from ganglion.networks.segan_transfer import Critic, Segmenter
from ganglion.reports.curves import read_history
from ganglion.reports.warning_signs import ADVICE, is_adversary, sentence, signs

EPOCHS = 24


def curve(function, every=1):
    return [(float(epoch), function(epoch)) for epoch in range(1, EPOCHS + 1) if epoch % every == 0]


def wobble(epoch, size):
    """What batches do to a loss: no trend, to and fro."""
    return size * math.sin(2.4 * epoch)


def healthy(**changes):
    """A training as those of SegAN on simulated scans look."""
    history = {
        "critic/loss": curve(lambda e: -0.08 + wobble(e, 0.005)),
        "segmenter/loss": curve(lambda e: 0.3 + 0.5 * math.exp(-e / 4) + wobble(e, 0.01)),
        "segmenter/dice": curve(lambda e: 0.2 + 0.5 * math.exp(-e / 4) + wobble(e, 0.01)),
        "segmenter/distance": curve(lambda e: 0.082 - wobble(e, 0.005)),
        "val/dice": curve(lambda e: 0.8 - 0.3 * math.exp(-e / 4) + wobble(e, 0.005), every=2),
    }
    return history | {name.replace("__", "/"): points for name, points in changes.items()}


def names(history=None, scores=None, **options):
    return [found.split(": ", 1)[0] for found in signs(history, scores, **options)]


def scores(subjects, empty=""):
    return {"subjects": [{"subject": f"sub-{n:03d}", "region": "lesion", "empty": empty} for n in range(subjects)]}


def test_a_healthy_training_has_no_sign():
    assert signs(healthy()) == []
    assert signs(healthy(), scores(20), seeds=3) == []
    assert signs() == []


HALF = EPOCHS / 2
BAD = {
    "A value that is not a number": {"segmenter__dice": curve(lambda e: math.nan if e == 7 else 0.3 + wobble(e, 0.01))},
    "The critic has collapsed": {"critic__loss": curve(lambda e: -0.08 * math.exp(-e) + wobble(e, 1e-6))},
    "The critic no longer changes": {"critic__loss": curve(lambda e: -0.08 + wobble(e, 0.01) * (e < HALF))},
    "The critic does not learn": {"segmenter__distance": [(e, -v) for e, v in healthy()["critic/loss"]]},
    "A loss explodes": {"segmenter__loss": curve(lambda e: 0.5 * math.exp(0.5 * e))},
    "A loss is saturated": {
        "segmenter__dice": curve(lambda e: 0.995 + wobble(e, 0.002)),
        "val__dice": curve(lambda e: 0.02 + wobble(e, 0.005), every=2),
    },
    "A loss stands still": {"segmenter__distance": curve(lambda e: 0.4 + wobble(e, 0.01) * (e < HALF))},
    "Validation finds nothing": {"val__dice": curve(lambda e: 0.04 if e < HALF else 0.0, every=2)},
    "Training and validation curves lie apart": {"val__dice": curve(lambda e: 0.4 + wobble(e, 0.01), every=2)},
    "Validation is far better than training": {"segmenter__dice": curve(lambda e: 0.6 + wobble(e, 0.01))},
    "Overfitting": {
        "segmenter__loss": curve(lambda e: 0.8 - 0.02 * e + wobble(e, 0.01)),
        "val__dice": curve(lambda e: 0.8 - 0.001 * (e - 10) ** 2, every=2),
    },
    "Trained too little": {"val__dice": curve(lambda e: 0.6 + 0.01 * e, every=2)},
    "The best epoch was at the very beginning": {"val__dice": curve(lambda e: 0.82 - 0.002 * e, every=2)},
    "Validation swings": {"val__dice": curve(lambda e: 0.75 + 0.06 * (-1) ** (e // 2), every=2)},
    "A loss swings": {"segmenter__loss": curve(lambda e: 0.5 + 0.3 * (-1) ** e)},
}


@pytest.mark.parametrize("name", BAD)
def test_each_sign_is_seen_alone(name):
    found = names(healthy(**BAD[name]))
    allowed = {name}
    if name == "Validation finds nothing":  # nor does it lie where the training lies
        allowed |= {"Training and validation curves lie apart", "The best epoch was at the very beginning"}
    assert name in found
    assert set(found) <= allowed


def test_every_sign_has_been_proved():
    of_scores = {"Every prediction is empty", "Few test subjects", "One training seed"}
    assert set(ADVICE) == set(BAD) | of_scores


def test_a_distance_that_is_validated_is_better_where_it_is_lower():
    falling = {"val/hd95_mm": curve(lambda e: 30 - e + wobble(e, 0.1), every=2)}
    rising = {"val/hd95_mm": curve(lambda e: 6 + 0.5 * e, every=2)}
    assert names(falling) == ["Trained too little"]
    assert names(rising) == ["The best epoch was at the very beginning"]


def test_a_weight_that_somebody_sets_may_stand_still():
    assert signs(healthy(segmenter__consistency_weight=curve(lambda e: 1.0))) == []
    assert signs(healthy(segmenter__penalty=curve(lambda e: 0.0))) == []
    assert names(healthy(segmenter__penalty=curve(lambda e: 3.0))) == ["A loss stands still"]


def test_a_few_epochs_are_no_trend():
    short = {name: points[:5] for name, points in healthy(critic__loss=curve(lambda e: 0.0)).items()}
    assert signs({name: points[:3] if name == "val/dice" else points for name, points in short.items()}) == []


def test_other_methods_have_adversaries_too():
    assert is_adversary("image_discriminator/loss")
    assert not is_adversary("segmenter/discriminator_loss")
    dead = {"discriminator/loss": curve(lambda e: 2.0), "generator/loss": curve(lambda e: 1 + wobble(e, 0.1))}
    assert names(dead) == ["The critic no longer changes"]


def test_scores_of_few_subjects_one_seed_and_empty_predictions():
    assert names(scores=scores(9), seeds=1) == ["Few test subjects", "One training seed"]
    assert names(scores=scores(12, "pred_empty"), seeds=None) == ["Every prediction is empty"]
    some = scores(12)
    some["subjects"][3]["empty"] = "pred_empty"
    assert names(scores=some) == []


def test_a_sentence_has_three_parts():
    meaning, remedy = ADVICE["Overfitting"]
    assert sentence("Overfitting", "seen so") == f"Overfitting: seen so. {meaning} {remedy}"


class Blobs(Dataset):
    """Slices with a bright square."""

    def __init__(self):
        noise = torch.rand((16, 1, 16, 16), generator=torch.Generator().manual_seed(0))
        items = []
        for number, image in enumerate(noise):
            label = torch.zeros((1, 16, 16))
            label[:, 4 + number % 4 : 10 + number % 4, 3:9] = 1
            items.append({"image": 0.3 * image + 0.6 * label, "label": label, "subject": f"sub-{number:03d}"})
        super().__init__(items)


def train(run_dir: Path, critic_lr=0.002, segmenter_lr=0.002, clamp=0.05):
    """SegAN of four channels for ten epochs of four iterations; its history."""
    prepare_run(seed=1)
    nets = {"segmenter": Segmenter(1, width=4), "critic": Critic(1, width=4)}
    optimizers = {
        name: torch.optim.Adam(nets[name].parameters(), lr=lr)
        for name, lr in (("critic", critic_lr), ("segmenter", segmenter_lr))
    }
    guard = ClampWeights(clamp) if clamp else ()
    trainer = AlternatingTrainer(
        device="cpu",
        max_epochs=10,
        train_data_loader=DataLoader(Blobs(), batch_size=4, shuffle=True),
        networks=nets,
        deployed="segmenter",
        phases=[
            Phase("critic", "critic", optimizers["critic"], CriticObjective(), after_step=guard),
            Phase("segmenter", "segmenter", optimizers["segmenter"], SegmenterObjective()),
        ],
        seed=1,
        train_handlers=[TrainingRun(run_dir, tensorboard=False, progress=False)],
    )
    trainer.run()
    return read_history(run_dir / "history.csv")


def test_a_training_that_goes_well(tmp_path):
    assert signs(train(tmp_path / "run")) == []


def test_a_critic_that_does_not_learn(tmp_path):
    assert names(train(tmp_path / "run", critic_lr=0.0)) == ["The critic does not learn"]


def test_a_critic_that_runs_away(tmp_path):
    assert "A loss explodes" in names(train(tmp_path / "run", critic_lr=3.0, clamp=None))


def test_the_documents_say_the_same(repository):
    page = (repository / "docs" / "reports.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and line.split(" | ")[0][2:] in ADVICE]
    assert [(row.split(" | ")[0][2:], *row.rstrip(" |").split(" | ")[2:]) for row in rows] == [
        (name, *advice) for name, advice in ADVICE.items()
    ]
