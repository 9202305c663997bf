"""What the model zoo of MONAI asks of a bundle before it takes it, as far as it can be asked offline.

Each bundle is looked at as it lies in the repository and as it comes out of its zip. The zoo's rules, in our words:
https://github.com/Project-MONAI/model-zoo (CONTRIBUTING.md and ci/).
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from found_bundles import BUNDLES, ROOT, TRAINED, network_of, swept
from monai.bundle import ConfigParser, ckpt_export, create_workflow, onnx_export, verify_metadata, verify_net_in_out
from packaging.requirements import Requirement

from ganglion.sharing.metadata import SCHEMA_FILE
from ganglion.sharing.pack import pack
from ganglion.sharing.unpack import unpack

LARGEST = 25 * 2**20  # bytes of one file that the zoo keeps in its repository
# Scripts that a foreign program gives to Python first: no library of ours but the zip's, and no network.
ALONE = """
import socket
import sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ganglion":
            raise ModuleNotFoundError(f"{name} is not to be had here", name=name)


def offline(*arguments, **options):
    raise OSError("there is no network here")


sys.meta_path.insert(0, Refuse())
socket.create_connection = socket.socket.connect = socket.getaddrinfo = offline
"""


@pytest.fixture(scope="module", params=swept("folder", "zip"))
def given(request, tmp_path_factory) -> tuple[Path, str]:
    """A copy of a bundle's folder, or of what comes out of its zip."""
    bundle, form = request.param
    place = tmp_path_factory.mktemp("zoo")
    if form == "zip":
        return unpack(pack(bundle, place).path, place / "models").folder, form
    ignored = shutil.ignore_patterns("runs", "eval", "data", "*.previous")
    return Path(shutil.copytree(bundle, place / "models" / bundle.name, ignore=ignored)), form


@pytest.fixture
def folder(given, monkeypatch) -> Path:
    """The bundle, importable as the zoo's checks make it, without a network."""

    def offline(*arguments, **options):
        raise AssertionError("a check opened a connection")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, offline)
    monkeypatch.setattr(socket, "getaddrinfo", offline)
    monkeypatch.syspath_prepend(str(given[0]))
    return given[0]


def read(folder: Path, name: str) -> dict:
    return json.loads((folder / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def strings(content, key: str = ""):
    """Each text in a config, with its key."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from strings(value, f"{key}#{name}")
    elif isinstance(content, list):
        for value in content:
            yield from strings(value, key)
    elif isinstance(content, str):
        yield key, content


def lookup(content: dict, key: str):
    for part in key.split("#"):
        assert part in content, f"{key} is missing"
        content = content[part]
    return content


def paths(folder: Path) -> dict[str, str]:
    """What the zoo gives to MONAI's commands."""
    configs = folder / "configs"
    return {"meta_file": str(configs / "metadata.json"), "config_file": str(configs / "inference.json")}


def test_every_bundle_is_looked_at():
    assert len(BUNDLES) == len([path for path in (ROOT / "bundles").iterdir() if path.is_dir()]) > 0


# --- files ------------------------------------------------------------------------------------------------------


def test_the_files_that_must_be_there_are(folder):
    needed = ["LICENSE", "configs/metadata.json", "configs/inference.json", "models/model.pt", "docs/README.md"]
    assert [name for name in needed if not (folder / name).is_file() or not (folder / name).stat().st_size] == []
    assert (folder / "docs" / "data_license.txt").is_file(), "the weights come from data, which have a licence"
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", folder.name), "two words at least: method or organ, and task"


def test_no_file_is_too_large_and_those_that_lie_elsewhere_are_described(folder):
    large = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > LARGEST]
    assert [path.relative_to(folder).as_posix() for path in large] == []
    for listing in folder.glob("large_files.*"):
        assert listing.suffix in (".json", ".yaml", ".yml")
        entries = ConfigParser.load_config_file(str(listing))["large_files"]
        for entry in entries:
            assert {"path", "url"} <= set(entry) <= {"path", "url", "hash_val", "hash_type"}
            assert not Path(entry["path"]).is_absolute()
            assert ".." not in Path(entry["path"]).parts
            assert bool(entry.get("hash_val")) == bool(entry.get("hash_type"))


def test_the_weights_are_a_plain_state_dict(folder):
    state = torch.load(folder / "models" / "model.pt", weights_only=True)
    assert state
    assert all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items())
    assert [path.name for path in (folder / "models").glob("*.pt")] == ["model.pt"]


# --- metadata ---------------------------------------------------------------------------------------------------


def check_schema(folder: Path, metadata: dict, tmp_path: Path) -> None:
    """MONAI's own check, with the schema where it would put the one that it fetches."""
    (tmp_path / "eval").mkdir(exist_ok=True)
    shutil.copy(SCHEMA_FILE, tmp_path / "eval" / "schema.json")
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    verify_metadata(meta_file=str(tmp_path / "metadata.json"), filepath=str(tmp_path / "eval" / "schema.json"))


def test_metadata_pass_monais_check_and_faulty_ones_do_not(folder, tmp_path):
    metadata = read(folder, "metadata")
    check_schema(folder, metadata, tmp_path)
    required = "schema version monai_version pytorch_version numpy_version required_packages_version task description"
    for name in [*required.split(), "authors", "copyright", "network_data_format"]:
        if name != "schema":
            with pytest.raises(ValueError, match=name):
                check_schema(folder, {key: value for key, value in metadata.items() if key != name}, tmp_path)
    for key, value in (("authors", ["A", "B"]), ("references", "one"), ("supported_apps", []), ("version", 1)):
        with pytest.raises(ValueError, match="Failed validating"):
            check_schema(folder, {**metadata, key: value}, tmp_path)
    for tensor in (*metadata["network_data_format"]["inputs"], *metadata["network_data_format"]["outputs"]):
        text = json.dumps(metadata).replace('"num_channels": ', '"channels": ', 1)
        assert tensor
        with pytest.raises(ValueError, match="Failed validating"):
            check_schema(folder, json.loads(text), tmp_path)


def test_the_version_is_the_newest_that_the_changelog_tells_of(folder):
    metadata = read(folder, "metadata")
    numbers = {name: tuple(map(int, name.split("."))) for name in metadata["changelog"]}
    assert all(len(number) == 3 for number in numbers.values())
    assert all(isinstance(text, str) and text for text in metadata["changelog"].values())
    assert max(numbers, key=numbers.get) == metadata["version"]
    assert metadata["name"], "the name that is shown"


def test_every_package_is_named_with_the_version_that_is_tested(folder):
    """The zoo installs `name==version` for each before it checks anything."""
    metadata = read(folder, "metadata")
    own = {"monai": "monai_version", "torch": "pytorch_version", "numpy": "numpy_version"}
    named = {name: metadata[key] for name, key in own.items()} | metadata["required_packages_version"]
    assert "optional_packages_version" not in metadata
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            pins[requirement.name.lower().replace("_", "-")] = str(requirement.specifier).removeprefix("==")
    for name, version in named.items():
        assert Requirement(f"{name}=={version}").specifier
        assert pins[name.lower().replace("_", "-")] == version, name


def test_supported_apps_are_those_whose_demands_are_checked(folder):
    assert read(folder, "metadata")["supported_apps"] == {}


# --- configs ----------------------------------------------------------------------------------------------------


def test_configs_have_the_keys_that_the_zoo_and_its_clients_look_for(folder):
    inference, train = read(folder, "inference"), read(folder, "train")
    for key in ("bundle_root", "device", "dataset_dir", "output_dir", "network_def", "inferer", "dataset#data"):
        lookup(inference, key)
    keys = ["bundle_root", "device", "dataset_dir", "output_dir", "network_def"]
    keys += ["train#trainer#max_epochs", "train#dataset#data", "train#handlers", "train#inferer", "train#preprocessing"]
    keys += ["validate#evaluator", "validate#handlers", "validate#dataset#data", "validate#inferer"]
    keys += ["validate#preprocessing", "validate#postprocessing", "validate#key_metric"]
    for key in keys:
        lookup(train, key)
    validation = [part for part in train["train"]["handlers"] if part["_target_"] == "ValidationHandler"]
    assert [part["interval"] for part in validation] == ["@val_interval"]
    assert lookup(train, "val_interval") > 0
    assert train["train"]["trainer"]["train_handlers"] == "@train#handlers"
    assert train["validate"]["evaluator"]["val_handlers"] == "@validate#handlers"


def test_no_config_holds_a_path_of_somebody(folder):
    for path in sorted((folder / "configs").rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        # `@bundle_root + '/data'` begins at the bundle, whatever else begins with a slash at the root of a machine
        private = re.compile(r"^(/\w|~/|[A-Za-z]:\\)|(?<!\+ )['\"](/\w|~/|[A-Za-z]:\\)")
        found = [(key, text) for key, text in strings(content) if private.search(text)]
        assert found == [], path.name


def test_training_and_inference_build_the_same_network(folder):
    assert read(folder, "train")["network_def"] == read(folder, "inference")["network_def"]


@pytest.mark.parametrize(("kind", "name"), [("training", "train"), ("inference", "inference")])
def test_no_property_of_monai_is_missing(kind, name, folder, cohort_of, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    flow = create_workflow(
        workflow_type=kind,
        bundle_root=str(folder),
        config_file=str(folder / "configs" / f"{name}.json"),
        meta_file=str(folder / "configs" / "metadata.json"),
        logging_file=False,
        dataset_dir=str(cohort_of(folder)),
    )
    assert flow.check_properties() == []


# --- the network ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_network_takes_and_gives_what_the_metadata_say(n, folder):
    verify_net_in_out(net_id="network_def", device="cpu", n=n, bundle_root=str(folder), **paths(folder))
    metadata = read(folder, "metadata")["network_data_format"]
    ((name, image),) = metadata["inputs"].items()
    ((answer, output),) = metadata["outputs"].items()
    assert (name, answer) == ("image", "pred")
    for tensor in (image, output):
        assert len(tensor["channel_def"]) == tensor["num_channels"] or tensor["format"] == "segmentation"
    sizes = [
        size if isinstance(size, int) else n * int(re.sub(r"\D", "", size) or 16) for size in image["spatial_shape"]
    ]
    with torch.no_grad():
        found = network_of(folder)(torch.rand(2, image["num_channels"], *sizes))
    assert found.shape == (2, output["num_channels"], *sizes)
    assert str(found.dtype) == f"torch.{output['dtype']}"


def test_a_wrong_number_of_channels_is_noticed(folder):
    with pytest.raises((ValueError, RuntimeError)):
        verify_net_in_out(
            net_id="network_def",
            device="cpu",
            bundle_root=str(folder),
            **{**paths(folder), "_meta_#network_data_format#outputs#pred#num_channels": 7},
        )


def example(folder: Path) -> torch.Tensor:
    image = read(folder, "metadata")["network_data_format"]["inputs"]["image"]
    sizes = [
        size if isinstance(size, int) else 3 * int(re.sub(r"\D", "", size) or 16) for size in image["spatial_shape"]
    ]
    return torch.rand(1, image["num_channels"], *sizes, generator=torch.Generator().manual_seed(3))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_monai_exports_torchscript_that_answers_as_the_checkpoint(folder, tmp_path):
    file, checkpoint = tmp_path / "verify.ts", folder / "models" / "model.pt"
    ckpt_export(
        net_id="network_def", filepath=str(file), ckpt_file=str(checkpoint), bundle_root=str(folder), **paths(folder)
    )
    image = example(folder)
    with torch.no_grad():
        assert (torch.jit.load(str(file))(image) - network_of(folder)(image)).abs().max() <= 1e-4
    if (folder / "models" / "model.ts").exists():
        torch.jit.load(str(folder / "models" / "model.ts"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_monai_exports_onnx_that_answers_as_the_checkpoint(folder, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason='ONNX is an extra: pip install "ganglion[onnx]"')
    pytest.importorskip("onnxscript", reason='ONNX is an extra: pip install "ganglion[onnx]"')
    image = example(folder)
    onnx_export(
        net_id="network_def",
        filepath=str(tmp_path / "verify.onnx"),
        ckpt_file=str(folder / "models" / "model.pt"),
        input_shape=list(image.shape),
        bundle_root=str(folder),
        **paths(folder),
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "verify.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.no_grad():
        assert np.abs(found - network_of(folder)(image).numpy()).max() <= 1e-4


# --- the commands of CONTRIBUTING.md, as they stand there, with nothing of ours installed --------------------------

COMMANDS = {
    "verify_metadata": "--meta_file configs/metadata.json --filepath eval/schema.json",
    "verify_net_in_out": "network_def --meta_file configs/metadata.json --config_file configs/inference.json",
    "ckpt_export": "network_def --filepath models/new.ts --ckpt_file models/model.pt "
    "--meta_file configs/metadata.json --config_file configs/inference.json",
    "onnx_export": "network_def --filepath models/new.onnx --ckpt_file models/model.pt "
    "--meta_file configs/metadata.json --config_file configs/inference.json",
}


@pytest.mark.clients
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("bundle", TRAINED, ids=lambda path: path.name)
def test_the_zoos_commands_run_in_an_unpacked_zip(command, bundle, tmp_path):
    if command == "onnx_export":
        pytest.importorskip("onnxscript", reason='ONNX is an extra: pip install "ganglion[onnx]"')
    folder = unpack(pack(bundle, tmp_path).path, tmp_path / "models").folder
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "sitecustomize.py").write_text(ALONE)
    (folder / "eval").mkdir()
    shutil.copy(SCHEMA_FILE, folder / "eval" / "schema.json")
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GANGLION"))}
    done = subprocess.run(
        [sys.executable, "-m", "monai.bundle", command, *COMMANDS[command].split()],
        cwd=folder,
        env={**keep, "PYTHONPATH": str(tmp_path / "alone"), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = {"ckpt_export": "new.ts", "onnx_export": "new.onnx"}.get(command)
    if made:
        assert (folder / "models" / made).stat().st_size > 10_000
    says = {"verify_metadata": "verified with no error", "verify_net_in_out": "data shape of network is verified"}
    assert says.get(command, "exported to file") in done.stdout + done.stderr
