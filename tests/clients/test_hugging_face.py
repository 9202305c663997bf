"""MONAI's push to and download from Hugging Face, against a stand-in that keeps repositories in a folder."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import monai.bundle.scripts
import pytest
from found_bundles import swept
from monai.bundle import download, push_to_hf_hub

from ganglion.sharing.pack import pack
from ganglion.sharing.unpack import unpack


class Hub:
    """The four calls that MONAI makes of the package huggingface_hub; a repository's states lie side by side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.HfApi = lambda token=None: self  # the name in the package

    def create_repo(self, repo_id: str, private: bool, exist_ok: bool) -> None:
        (self.folder / repo_id).mkdir(parents=True, exist_ok=exist_ok)

    def upload_folder(self, repo_id: str, folder_path: str) -> str:
        shutil.copytree(folder_path, self.folder / repo_id / "main", dirs_exist_ok=True)
        return repo_id

    def create_tag(self, repo_id: str, tag: str, exist_ok: bool) -> None:
        shutil.copytree(self.folder / repo_id / "main", self.folder / repo_id / tag, dirs_exist_ok=exist_ok)

    def list_repo_refs(self, repo_id: str) -> SimpleNamespace:
        tags = [path.name for path in (self.folder / repo_id).iterdir() if path.name != "main"]
        return SimpleNamespace(tags=[SimpleNamespace(name=tag) for tag in tags])

    def snapshot_download(self, repo_id: str, revision: str, local_dir: str) -> None:
        shutil.copytree(self.folder / repo_id / revision, local_dir)


@pytest.mark.parametrize("bundle", swept())
def test_what_was_pushed_comes_back_and_labels(bundle, cohort_of, tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr(monai.bundle.scripts, "huggingface_hub", hub)
    packed = pack(bundle, tmp_path)
    root = unpack(packed.path, tmp_path / "sent").folder
    sent = {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    version = packed.path.stem.rpartition("_v")[2]
    repo = f"someone/{bundle.name}"
    push_to_hf_hub(repo=repo, name=bundle.name, bundle_dir=str(root.parent), version=version)
    download(name=bundle.name, version=version, bundle_dir=str(tmp_path / "got"), source="huggingface_hub", repo=repo)
    got = tmp_path / "got" / bundle.name
    assert {name: (got / name).read_bytes() for name in sent} == sent
    assert (got / "README.md").read_text().startswith("---")  # the model card with the hub's own header
    command = [sys.executable, "-m", "monai.bundle", "run", "inference", "--config_file"]
    command += [str(got / "configs" / "inference.json"), "--bundle_root", str(got)]
    command += ["--dataset_dir", str(cohort_of(bundle)), "--output_dir", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert list((tmp_path / "out").glob("*_pred.nii.gz"))
