"""The bundles are one product: the same knobs under the same names in the same order, the same files, the same card.

Whatever differs stands here with its reason. A bundle that joins passes as it is, or says here why it does not.
"""

import itertools
import json
import re
from pathlib import Path

import pytest
from found_bundles import BUNDLES, TRAINED

PAIRS = list(itertools.combinations(BUNDLES, 2))
CONFIGS = ("train", "inference", "evaluate")
DRAWS = "stylegan2_synthesis"

FILES = [
    *("LICENSE", "docs/README.md", "docs/data_license.txt", "configs/logging.conf", "configs/metadata.json"),
    *(f"configs/{name}.json" for name in (*CONFIGS, "federated_all", "multi_gpu_evaluate", "multi_gpu_train")),
    *(f"configs/variants/{name}.json" for name in ("fine_tune", "no_validation", "paper", "small")),
]
ALONE = "unified_multimodal"
NO_FILE = {
    (
        ALONE,
        "configs/federated_all.json",
    ): "the networks share encoders: what is deployed travels",
    (DRAWS, "configs/federated_all.json"): "what travels would be a generator, which remembers its scans",
    (DRAWS, "configs/variants/fine_tune.json"): "no discriminator is shipped to go on with",
    (DRAWS, "configs/variants/no_validation.json"): "`drawn_only` and the others choose by the validation list",
}

KNOBS = {
    "train": "variant bundle_root dataset_dir output_dir weights start_from contrasts spacing epochs volumes_per_batch "
    "val_interval learning_rate precision seed workers time_limit tensorboard device",
    "inference": "variant bundle_root dataset_dir section images output_dir weights contrasts spacing "
    "save_probabilities precision seed device",
    "evaluate": "_desc_ load_truth preprocessing dataset score handlers evaluating",
}
NO_KNOB = {
    (ALONE, "evaluate", "dataset"): "it reads the labels that a subject has with what `inference.json` reads",
    (DRAWS, "train", "volumes_per_batch"): "a batch is of single slices: `batch_size`",
}
# What stands elsewhere than in the other bundles: first who is seen, then each network, then the game; and what labels
# is made of the generator.
PLACED_APART = {
    (ALONE, "train"): "subjects fusion critic_input critic_clip class_weights dice_weight adversarial_weight "
    "penalty_weight distance_weight reduction network_def network generator_def generator discriminator_def critic_def",
}
SAME_VALUE = {
    "train": "variant output_dir start_from precision seed workers time_limit tensorboard device",
    "inference": "variant section images output_dir save_probabilities precision seed device",
}
OTHER_VALUE: dict[tuple[str, str, str], str] = {}
# What the same thing is called elsewhere: here it has one name.
FOREIGN = {
    *("amp", "max_epochs", "num_epochs", "n_epochs", "lr", "data_dir", "dataroot", "ckpt_dir", "run_dir"),
    *("out", "num_workers", "gpu", "split", "modalities"),
}

SECTIONS = [
    *("In and out", "Use", "Data", "Weights", "Simulated scans", "Real scans", "Speed and memory"),
    *("Limits", "Fairness", "Licence", "Citation"),
]
MEASURED = ("Simulated scans", "Real scans", "Speed and memory")  # of a bundle with weights


def read(bundle, name):
    return json.loads((bundle / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def named(bundle):
    return bundle.name


def names(pairs):
    return "-".join(bundle.name for bundle in pairs)


def test_the_reasons_are_of_bundles_that_are_there_and_are_needed():
    known = {bundle.name: bundle for bundle in BUNDLES}
    for bundle, file in NO_FILE:
        assert not (known[bundle] / file).exists(), f"{bundle} has {file} now"
    for bundle, config, knob in NO_KNOB:
        assert knob not in read(known[bundle], config), f"{bundle}'s {config}.json has {knob} now"


@pytest.mark.parametrize("bundle", BUNDLES, ids=named)
def test_the_same_files(bundle):
    missing = [file for file in FILES if not (bundle / file).is_file() and (bundle.name, file) not in NO_FILE]
    assert missing == []


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("pair", PAIRS, ids=names)
def test_what_two_bundles_both_have_stands_in_the_same_order(pair, config):
    apart = {knob for bundle in pair for knob in PLACED_APART.get((bundle.name, config), "").split()}
    one, other = ([name for name in read(bundle, config) if name not in apart] for bundle in pair)
    assert [name for name in one if name in other] == [name for name in other if name in one]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("bundle", BUNDLES, ids=named)
def test_the_same_knobs_under_the_same_names(bundle, config):
    content = read(bundle, config)
    wanted = [knob for knob in KNOBS[config].split() if (bundle.name, config, knob) not in NO_KNOB]
    assert [knob for knob in wanted if knob not in content] == []
    assert FOREIGN & set(content) == set()


@pytest.mark.parametrize("config", SAME_VALUE)
def test_knobs_of_every_bundle_begin_with_the_same_value(config):
    for knob in SAME_VALUE[config].split():
        found = {
            json.dumps(read(bundle, config)[knob]).replace(bundle.name, "BUNDLE")
            for bundle in BUNDLES
            if (bundle.name, config, knob) not in {**NO_KNOB, **OTHER_VALUE}
        }
        assert len(found) == 1, (knob, found)


@pytest.mark.parametrize("bundle", BUNDLES, ids=named)
def test_what_a_user_changes_stands_above_what_is_made_of_it(bundle):
    """Numbers and switches end with `device`; below it are components alone."""
    content = read(bundle, "train")
    keys = list(content)
    start = keys.index("device") + 1
    plain = [key for key in keys[start:] if isinstance(content[key], int | float | bool)]
    assert plain == []
    assert keys[:2] == ["_desc_", "imports"]


@pytest.mark.parametrize("pair", PAIRS, ids=names)
def test_metadata_say_the_same_things_in_the_same_order(pair):
    one, other = (list(read(bundle, "metadata")) for bundle in pair)
    assert [key for key in one if not key.endswith("_data_format")] == [
        key for key in other if not key.endswith("_data_format")
    ]


@pytest.mark.parametrize("bundle", BUNDLES, ids=named)
def test_every_overlay_says_in_its_first_line_what_it_is(bundle):
    for path in sorted((bundle / "configs").rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if path.stem != "metadata" and path.parent.name != "metadata":
            assert next(iter(content)) == "_desc_", path.name
            assert len(content["_desc_"]) > 15, path.name


@pytest.mark.parametrize("bundle", BUNDLES, ids=named)
def test_cards_have_the_same_sections(bundle):
    card = (bundle / "docs" / "README.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", card, re.M)
    wanted = [name for name in SECTIONS if bundle in TRAINED or name not in MEASURED]
    assert [name for name in sections if name in SECTIONS] == [name for name in SECTIONS if name in sections]
    assert [name for name in wanted if name not in sections] == []
    opening = card.split("## ")[0]
    assert "**Research only. This is not a medical device." in opening
    assert f"docs/{bundle.name}.md in the repository" in re.sub(r"\s+", " ", opening)
    assert ("**Status: not trained yet.**" in opening) == (bundle not in TRAINED)
    assert ("**Recipe.**" in card) == (bundle in TRAINED)


def test_the_use_of_every_card_begins_with_what_its_files_offer():
    for bundle in BUNDLES:
        use = (bundle / "docs" / "README.md").read_text(encoding="utf-8").split("## Use\n")[1].split("\n## ")[0]
        block = re.search(r"```bash\n(.*?)```", use, re.S).group(1)
        for config in ("train", "inference", "evaluate"):
            assert f"configs/{config}.json" in block, (bundle.name, config)
        for path in re.findall(r"configs/[\w/]+\.json", block):
            assert (bundle / path).is_file(), (bundle.name, path)


def test_every_bundle_has_its_page_and_its_tests():
    root = Path(__file__).parents[2]
    for bundle in BUNDLES:
        page = (root / "docs" / f"{bundle.name}.md").read_text(encoding="utf-8")
        assert page.split("\n\n")[1].startswith("**The idea.**"), bundle.name
        assert f"bundles/{bundle.name}/docs/README.md" in page
        assert list((root / "tests" / "bundles").glob(f"test_{bundle.name.split('_')[0]}*.py"))


def test_the_readmes_numbers_are_those_of_the_cards():
    root = Path(__file__).parents[2]
    measured = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[`(\w+)`\].*$", (root / "README.md").read_text(encoding="utf-8"), re.M)
    lines = {line.split("`")[1]: line for line in (root / "README.md").read_text().splitlines() if line[:4] == "| [`"}
    assert sorted(rows) == [bundle.name for bundle in BUNDLES]
    for bundle in BUNDLES:
        cells = [cell.strip() for cell in lines[bundle.name].strip("| ").split("|")]
        card = (bundle / "docs" / "README.md").read_text(encoding="utf-8")
        if bundle not in TRAINED:
            assert cells[4:8] == ["", "", "", ""]
            continue
        for number in re.findall(r"\d\.\d{3}", " ".join(cells[4:6])):
            assert number in card, (bundle.name, number)
        assert cells[6] in card.replace(";", ""), (bundle.name, cells[6])
        if cells[7] != "not measured":
            assert re.search(rf"\| case, file to file, .*: time \| {float(cells[7].split()[0]):.1f}", measured)
