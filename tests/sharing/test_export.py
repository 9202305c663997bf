"""The export as a whole: on every bundle, and what it refuses."""

import dataclasses
import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from found_bundles import ROOT, TRAINED, network_of, swept

from ganglion.cli import main
from ganglion.engines.sampling import Sampler, latent
from ganglion.errors import InputError
from ganglion.sharing import export
from ganglion.sharing.export import export_bundle
from ganglion.sharing.export_formats import FORMATS
from ganglion.sharing.export_source import read_source

from .test_export_formats import MORE_KINDS, skip_without
from .toy_export import change, make_bundle

PERSON = "jane_doe_1970"
DRAWS = ROOT / "bundles" / "stylegan2_synthesis"


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path, monkeypatch):
    """Each test runs in a folder of its own, since an export is written to the working folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def everything(path: Path) -> bytes:
    """All bytes of a file, those of zip entries unpacked, and of zips inside them."""

    def unpack(content: bytes) -> bytes:
        if not zipfile.is_zipfile(io.BytesIO(content)):
            return content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inner = [name.encode() + unpack(archive.read(name)) for name in archive.namelist()]
        return b"\n".join([content, *inner])

    return unpack(path.read_bytes())


def reload(path: Path, taken: str = "image", given: str = "pred"):
    """The export as its user opens it, without this library."""
    if path.suffix == ".ts":
        return torch.jit.load(str(path))
    if path.suffix == ".pt2":
        return torch.export.load(str(path)).module()
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run([given], {taken: image.numpy()})[0])


def other_sizes(sizes: list[str]) -> list[int]:
    """Sizes that no export is checked with: seven times the least one, three times in three dimensions."""
    return [int(re.findall(r"\d+", size)[0]) * (7 if len(sizes) < 3 else 3) for size in sizes]


def test_there_are_bundles():
    assert len(TRAINED) == len([path for path in (ROOT / "bundles").iterdir() if (path / "models").is_dir()]) > 0


@pytest.mark.parametrize("precision", ["fp32", pytest.param("fp16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [*FORMATS])
@pytest.mark.parametrize("bundle", swept())
def test_every_bundle_answers_as_its_checkpoint(bundle, kind, precision):
    """On other random numbers and other sizes than the export itself has looked at."""
    skip_without(kind)
    done = export_bundle(bundle, kind, precision)
    version = json.loads((bundle / "configs" / "metadata.json").read_text())["version"]
    half = "" if precision == "fp32" else "_fp16"
    assert done.path == Path(f"{bundle.name}_v{version}{half}{FORMATS[kind].suffix}")
    network, runner = network_of(bundle), reload(done.path)
    sizes = other_sizes(done.note["sizes"])
    image = torch.rand(4, done.note["shape"][1], *sizes, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        expected, found = network(image), runner(image)
    largest = float(expected.abs().max())
    limit = max(1e-4, 1e-5 * largest) if precision == "fp32" else 4 * 2**-10 * largest
    assert (found - expected).abs().max() <= limit
    assert not re.search(rb"/(home|root|Users|tmp|usr|work)/[\w.-]+/", everything(done.path))


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_a_generator_draws_the_same_image_from_the_same_seed(kind):
    """It is not what the bundle deploys, and is exported by its name."""
    skip_without(kind)
    done = export_bundle(DRAWS, kind, network="generator")
    assert done.path.name.startswith("stylegan2_synthesis_generator_v")
    assert (done.note["network"], done.note["shape"]) == ("generator", ["batch", 512])
    sampler = Sampler(read_source(DRAWS, "generator").network, seed=5)
    expected = torch.stack(list(sampler.images(3)))
    runner = reload(done.path, "latent", "drawn")
    with torch.no_grad():
        for first, count in ((0, 3), (2, 1)):
            found = runner(torch.cat([latent(5, number) for number in range(first, first + count)]))
            assert (found - expected[first : first + count]).abs().max() <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*FORMATS])
def test_a_generator_in_half_precision(kind):
    skip_without(kind)
    done = export_bundle(DRAWS, kind, "fp16", network="generator")
    assert all(each.passed for each in done.comparisons)


def test_a_generator_labels_no_scans(brats_cohort):
    with pytest.raises(InputError, match="scans go through the network that labels, not generator; leave it out"):
        export_bundle(DRAWS, "torchscript", dataset=brats_cohort, network="generator")
    with pytest.raises(InputError, match=r"drawer_data_format has the inputs \[\], expected exactly one"):
        export_bundle(DRAWS, "torchscript", network="drawer")


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["torchscript", "torch_export"])
@pytest.mark.parametrize("bundle", TRAINED, ids=lambda path: path.name)
def test_half_precision_on_a_gpu(bundle, kind):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    done = export_bundle(bundle, kind, "fp16")
    network = network_of(bundle)
    content = done.path.read_bytes()
    if kind == "torchscript":
        runner = torch.jit.load(io.BytesIO(content), map_location="cuda")
    else:
        from torch.export.passes import move_to_device_pass

        runner = move_to_device_pass(torch.export.load(io.BytesIO(content)), "cuda").module()
    sizes = other_sizes(done.note["sizes"])
    image = torch.rand(4, done.note["shape"][1], *sizes)
    with torch.no_grad():
        expected = network(image)
        found = runner(image.cuda()).cpu()
    assert (found - expected).abs().max() <= 4 * 2**-10 * float(expected.abs().max())


@pytest.mark.parametrize("kind", [*FORMATS])
def test_no_path_and_no_name_travels_along(kind, tmp_path, monkeypatch):
    """The network's source, the working folder, the home folder and the file all carry somebody's name."""
    skip_without(kind)
    home = tmp_path / "home" / PERSON
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", PERSON)
    monkeypatch.chdir(home)
    package = f"toy_{kind}"
    toy = make_bundle(home / "toy", package=package)
    done = export_bundle(toy, kind, out=home / f"{PERSON}{FORMATS[kind].suffix}")
    content = everything(done.path)
    for word in (PERSON, str(tmp_path), "site-packages", str(ROOT), os.path.expanduser("~root") + "/"):
        assert word.encode() not in content, word
    assert package.encode() in content or kind == "onnx"  # the class has a name, the file has none
    if kind == "torchscript":  # what is looked for would be there
        torch.jit.save(torch.jit.script(network_of(toy)), "plain.ts")
        assert PERSON.encode() in everything(Path("plain.ts"))


def test_scans_of_a_data_set_are_compared_too(brats_cohort):
    bundle = next(path for path in TRAINED if path.name == "segan_transfer")
    done = export_bundle(bundle, "torchscript", dataset=brats_cohort)
    scans = [each for each in done.comparisons if each.what == "scan"]
    assert len(scans) > 1
    assert all(each.passed and each.shape[1] == 4 for each in scans)
    content = everything(done.path)
    names = [item["subject"] for item in json.loads((brats_cohort / "dataset.json").read_text())["test"]]
    assert names
    assert not [name for name in [*names, str(brats_cohort)] if name.encode() in content]
    assert f"{len(scans)} scan" in done.summary()


@pytest.mark.parametrize("kind", ["torchscript", "torch_export"])
def test_an_export_that_differs_is_not_written(kind, tmp_path, monkeypatch, counted):
    toy = make_bundle(tmp_path / "toy")
    path = Path(f"toy_v1.2.3{FORMATS[kind].suffix}")
    path.write_bytes(b"the former one")

    def write(network, source, texts):
        network.out.bias.data += 1e-3
        content = FORMATS[kind].write(network, source, texts)
        network.out.bias.data -= 1e-3
        return content

    monkeypatch.setattr(export, "FORMATS", {kind: dataclasses.replace(FORMATS[kind], write=write)})
    with pytest.raises(InputError, match=r"not written: for a \w+ input .* lies 1.00e-03 from the checkpoint"):
        export_bundle(toy, kind)
    assert path.read_bytes() == b"the former one"
    assert os.listdir() == [path.name]
    counted("faulty inputs")


def test_an_export_that_names_a_folder_is_not_written(tmp_path, counted):
    toy = make_bundle(tmp_path / "toy")
    change(toy, "inference", dataset_dir=f"$'{tmp_path}/here/scans'")
    with pytest.raises(InputError, match=f"not written: the export would carry .*{tmp_path}/here"):
        export_bundle(toy, "torchscript")
    assert os.listdir() == []
    counted("faulty inputs")


def test_the_note_says_what_the_file_is(tmp_path):
    toy = make_bundle(tmp_path / "toy")
    done = export_bundle(toy, "torchscript", "fp16", out=tmp_path)
    found = {"export.json": "", "metadata.json": "", "inference.json": ""}
    torch.jit.load(str(done.path), _extra_files=found)
    note = json.loads(found["export.json"])
    assert note == done.note
    assert note["shape"] == ["batch", 2, "multiples of 4 from 8", "multiples of 4 from 8"]
    assert (note["bundle"], note["version"], note["precision"]) == ("toy", "1.2.3", "fp16")
    assert json.loads(found["metadata.json"]) == json.loads((toy / "configs" / "metadata.json").read_text())
    assert "network_def" in json.loads(found["inference.json"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "tflite"], "--format is 'tflite', expected one of torchscript, onnx, torch_export"),
        (["--format", "onnx", "--precision", "int8"], "--precision is 'int8', expected one of fp32, fp16"),
        (["--format", "torchscript", "--out", "model.pt"], "--out model.pt: ends with '.pt', expected '.ts'"),
    ],
)
def test_the_command_names_what_is_wrong(options, message, tmp_path, capsys, counted):
    toy = make_bundle(tmp_path / "toy")
    assert main(["export", str(toy), *options]) == 2
    assert message in capsys.readouterr().err
    assert os.listdir() == []
    counted("faulty inputs")


def test_the_command_prints_what_it_compared(tmp_path, capsys):
    toy = make_bundle(tmp_path / "toy")
    assert main(["export", str(toy), "--format", "torchscript", "--out", "model.ts"]) == 0
    out = capsys.readouterr().out
    assert "compared with the checkpoint on 4 inputs (3 random, 1 head; batches 1, 2, 3)" in out
    assert "sizes multiples of 4 from 8" in out
    shutil.rmtree(toy)
    assert torch.jit.load("model.ts")(torch.rand(5, 2, 12, 8)).shape == (5, 1, 12, 8)
