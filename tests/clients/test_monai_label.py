"""MONAI Label serves the zip of a bundle, where the library is not installed: it lists, labels, trains and scores."""

import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from found_bundles import BUNDLES, with_weights

from ganglion.sharing.alone import variants_alone
from ganglion.sharing.pack import pack
from ganglion.sharing.unpack import unpack

pytestmark = [pytest.mark.clients, pytest.mark.timeout(3000)]
# torchvision has no build for this torch on a CPU. MONAI Label imports two functions that draw pictures, and calls
# neither for what is asked here.
PICTURES = "def make_grid(*args, **options):\n    raise NotImplementedError\n\n\nsave_image = make_grid\n"


class Server:
    """MONAI Label on the loopback address, over one app and one folder of studies."""

    def __init__(self, python: Path, app: Path, studies: Path, name: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = app.parent / f"{studies.name}.log"
        conf = {"models": name, "zoo_source": "local", "sam2": "false"}
        conf |= {"epistemic_model": name, "epistemic_max_samples": "1", "epistemic_simulation_size": "2"}
        # Not `monailabel start_server`, a shell script that writes the study's path into a file of its own.
        words = ["-m", "monailabel.main", "start_server", "--app", str(app), "--studies", str(studies)]
        words += ["--host", "127.0.0.1", "--port", str(self.port)]
        words += [word for key, value in conf.items() for word in ("--conf", key, value)]
        keep = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GANGLION"))}
        keep |= {"OMP_NUM_THREADS": "1", "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(python), *words], cwd=app.parent, env=keep, stdout=log, stderr=subprocess.STDOUT
            )
        self.wait()

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(240):
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                return self.ask("GET", "/info/") and None
            except urllib.error.URLError:
                time.sleep(1)
        raise AssertionError(self.log.read_text()[-3000:])

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """Send a request; the body of the answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, {"Content-Type": kind}, method=method
        )
        with urllib.request.urlopen(request, timeout=900) as answer:
            return answer.read()

    def form(self, method: str, path: str, params: dict, files: dict[str, Path]) -> bytes:
        """Send a form."""
        mark = uuid.uuid4().hex
        parts = [f'--{mark}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{json.dumps(params)}\r\n'.encode()]
        for name, file in files.items():
            head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file.name}"\r\n\r\n'
            parts.append(head.encode() + file.read_bytes() + b"\r\n")
        body = b"".join(parts) + f"--{mark}--\r\n".encode()
        return self.ask(method, path, body, f"multipart/form-data; boundary={mark}")

    def label(self, model: str, image: str, target: Path) -> nib.Nifti1Image:
        """What the model says of an image of the studies."""
        target.write_bytes(self.form("POST", f"/infer/{model}?image={image}&output=image", {}, {}))
        return nib.load(target)


@pytest.fixture(scope="module")
def python(environment):
    """A Python with MONAI Label and without the library."""
    found = environment("monai-label")
    site = next(found.parents[1].glob("lib/python*/site-packages"))
    (site / "torchvision").mkdir(exist_ok=True)
    (site / "torchvision" / "__init__.py").write_text("")
    (site / "torchvision" / "utils.py").write_text(PICTURES)
    assert subprocess.run([str(found), "-c", "import ganglion"], capture_output=True, cwd="/", check=False).returncode
    return found


# Each bundle, and each of its variants that can be packed as a bundle of its own: one contrast alone, for instance.
SERVED = [(bundle, variant) for bundle in BUNDLES for variant in (None, *variants_alone(bundle))]


class Bundle:
    """A bundle as it came out of its zip, in the app that serves it."""

    def __init__(self, root: Path) -> None:
        self.root, self.name = root, root.name
        config = json.loads((root / "configs" / "inference.json").read_text())
        self.contrasts = config["contrasts"]
        self.takes_any = config["load"].get("on_missing") == "zero"

    def label(self, files: list[Path], out: Path) -> nib.Nifti1Image:
        """What MONAI's own command says of the contrasts of one subject."""
        command = [sys.executable, "-m", "monai.bundle", "run", "inference", "--config_file"]
        command += [str(self.root / "configs" / "inference.json"), "--bundle_root", str(self.root)]
        command += ["--images", str([[str(file) for file in files]]), "--output_dir", str(out)]
        subprocess.run(command, check=True, capture_output=True, cwd=out.parent)
        (written,) = out.glob("*_pred.nii.gz")
        return nib.load(written)


@pytest.fixture(scope="module", params=SERVED, ids=lambda served: f"{served[0].name}-{served[1] or 'as_it_is'}")
def app(request, python, cohort_of, tmp_path_factory):
    """MONAI Label's app for bundles, holding one bundle out of its zip, and what it takes without labels."""
    source, variant = request.param
    folder = tmp_path_factory.mktemp("label") / "app"
    shutil.copytree(python.parents[1] / "monailabel" / "sample-apps" / "monaibundle", folder)
    packed = pack(with_weights(source, folder.parent / "untrained"), folder.parent, variant=variant)
    root = unpack(packed.path, folder / "model").folder
    if '"unlabeled"' in (root / "configs" / "train.json").read_text():  # MONAI Label hands out what is labelled only
        shutil.copytree(cohort_of(root), root / "data")
    return folder


@pytest.fixture(scope="module")
def bundle(app):
    (root,) = (app / "model").iterdir()
    return Bundle(root)


@pytest.fixture(scope="module")
def cohort(bundle, cohort_of):
    """Simulated subjects of the bundle's kind."""
    return cohort_of(bundle.root)


@pytest.fixture(scope="module")
def studies(bundle, cohort, tmp_path_factory):
    """Four subjects as a datastore likes them: the bundle's contrasts in one folder, and nothing else."""
    folder = tmp_path_factory.mktemp("studies")
    for subject in sorted(cohort.glob("sub-*"))[:4]:
        for contrast in bundle.contrasts:
            shutil.copy(subject / f"{subject.name}_{contrast}.nii.gz", folder)
    return folder


@pytest.fixture(scope="module")
def server(app, bundle, python, studies):
    running = Server(python, app, studies, bundle.name)
    yield running
    running.process.terminate()
    running.process.wait(60)


def test_every_bundle_found_and_a_single_contrast_are_served():
    assert {bundle for bundle, _ in SERVED} == set(BUNDLES)
    assert any(variant for _, variant in SERVED)


def test_it_is_listed(server, bundle):
    found = json.loads(server.ask("GET", "/info/"))
    metadata = json.loads((bundle.root / "configs" / "metadata.json").read_text())
    assert found["models"][bundle.name]["version"] == metadata["version"]
    assert found["trainers"][bundle.name]


def test_what_is_told_apart_has_names_and_colours(server, bundle, python):
    """A bundle gives names; the plugin for 3D Slicer has a colour for those of its list, and takes any for others."""
    named = json.loads(server.ask("GET", "/info/"))["models"][bundle.name]["labels"]
    channels = json.loads((bundle.root / "configs" / "metadata.json").read_text())
    channels = channels["network_data_format"]["outputs"]["pred"]["channel_def"]
    assert named == {name.lower(): int(code) for code, name in channels.items() if name.lower() != "background"}
    if len(named) == 1:
        return
    (known,) = python.parents[1].glob("monailabel/plugins/slicer/**/labelcolors.py")
    colours = runpy.run_path(str(known))["GenericAnatomyColors"]
    assert len({colours[name] for name in named}) == len(named)


def test_label_comes_back_on_the_images_grid_whatever_contrast_is_open(server, bundle, studies, tmp_path):
    files = [studies / f"sub-001_{contrast}.nii.gz" for contrast in bundle.contrasts]
    image, expected = nib.load(files[0]), bundle.label(files, tmp_path / "cli")
    for contrast in {bundle.contrasts[0], bundle.contrasts[-1]}:
        label = server.label(bundle.name, f"sub-001_{contrast}", tmp_path / f"{contrast}.nii.gz")
        assert label.shape == image.shape
        assert np.allclose(label.affine, image.affine, atol=1e-4)
        assert np.asarray(expected.dataobj).any()
        assert np.array_equal(np.asarray(label.dataobj), np.asarray(expected.dataobj))


def test_training_takes_labels_and_leaves_weights_that_serve(server, bundle, cohort, tmp_path):
    model = bundle.root / "models" / "model.pt"
    before, opened = model.read_bytes(), bundle.contrasts[-1]
    for subject in sorted(cohort.glob("sub-*"))[:3]:
        label = {"label": subject / f"{subject.name}_label.nii.gz"}
        server.form("PUT", f"/datastore/label?image={subject.name}_{opened}&tag=final", {}, label)
    asked = {"max_epochs": 1, "val_split": 0.34, "multi_gpu": False}
    server.ask("POST", f"/train/{bundle.name}?run_sync=true", json.dumps(asked).encode())
    assert model.read_bytes() != before, server.log.read_text()[-3000:]
    assert model.with_name("model.pt.previous").read_bytes() == before
    assert sorted(path.name for path in model.parent.glob("*.pt")) == ["model.pt"]
    assert server.label(bundle.name, f"sub-004_{opened}", tmp_path / "after.nii.gz").ndim == 3


def test_scoring_answers(server, bundle):
    for _ in range(120):  # the server scores by itself, too, and does one at a time
        try:
            found = json.loads(server.ask("POST", f"/scoring/{bundle.name}?run_sync=true", b"{}"))
            break
        except urllib.error.HTTPError as error:
            if error.code != 429:
                raise
            time.sleep(2)
    assert found is not None
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]


def test_a_missing_contrast_is_named_and_so_is_a_wrong_one(app, bundle, python, cohort, tmp_path):
    """Of four contrasts one is there; where the bundle takes one, it is another one that is opened.

    A bundle that takes whichever contrast there is labels that one.
    """
    first, opened = bundle.contrasts[0], bundle.contrasts[-1]
    expected = f"found contrast {first} missing beside it (there: {opened})"
    if first == opened:
        opened = next(name for name in ("T1", "T2") if name != first)
        expected = f"found a file named as {opened}, expected {first}"
    (tmp_path / "single").mkdir()
    shutil.copy(cohort / "sub-001" / f"sub-001_{opened}.nii.gz", tmp_path / "single")
    running = Server(python, app, tmp_path / "single", bundle.name)
    try:
        if bundle.takes_any:
            label = running.label(bundle.name, f"sub-001_{opened}", tmp_path / "any.nii.gz")
            expected = bundle.label([tmp_path / "single" / f"sub-001_{opened}.nii.gz"], tmp_path / "cli")
            assert np.array_equal(np.asarray(label.dataobj), np.asarray(expected.dataobj))
            return
        with pytest.raises(urllib.error.HTTPError):
            running.label(bundle.name, f"sub-001_{opened}", tmp_path / "none.nii.gz")
    finally:
        running.process.terminate()
        running.process.wait(60)
    assert expected in running.log.read_text()
