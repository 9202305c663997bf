"""What each site of an NVFlare federation runs: MONAI's client around the bundle that lies there."""

import argparse
import json
import sys
from pathlib import Path

import nvflare.client as flare
import torch
from monai.fl.client import MonaiAlgo
from monai.fl.utils.exchange_object import ExchangeObject


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=Path)  # a folder with <site>/bundle and <site>/data
    here = parser.parse_args().sites
    flare.init()
    home = here / flare.get_site_name()
    root = next((home / "bundle").iterdir())
    sys.path.insert(0, str(root))
    options = {"dataset_dir": str(home / "data"), "bundle_root": str(root), "val_interval": 1, "tensorboard": False}
    known = json.loads((root / "configs" / "train.json").read_text())  # of two rounds one is for the networks after G1
    options |= {key: value for key, value in {"coarse_epochs": 1, "patches_per_epoch": 16}.items() if key in known}
    algo = MonaiAlgo(str(root), send_weight_diff=False, train_kwargs=dict(options), eval_kwargs=dict(options))
    algo.initialize()
    while flare.is_running():
        received = flare.receive()
        weights = ExchangeObject(weights=received.params)
        metrics = algo.evaluate(weights).metrics
        algo.train(weights)
        sent = algo.get_weights().weights
        torch.save(sent, home / "sent.pt")
        flare.send(flare.FLModel(params=sent, metrics=metrics))
    algo.finalize()


if __name__ == "__main__":
    main()
