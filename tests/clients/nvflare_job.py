"""NVFlare's simulator: a server that averages, two sites that train a bundle, two rounds."""

import argparse
import json
import sys
from pathlib import Path

from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe import SimEnv


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=Path)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    root = next((given.sites / "site-1" / "bundle").iterdir())
    sys.path.insert(0, str(root))
    from monai.bundle import ConfigParser

    config = ConfigParser(json.loads((root / "configs" / "inference.json").read_text()))
    config["bundle_root"] = str(root)
    network = config.get_parsed_content("network_def")
    recipe = FedAvgRecipe(
        name="bundle",
        min_clients=2,
        num_rounds=2,
        model=network,
        initial_ckpt=str(root / "models" / "model.pt"),
        train_script=str(Path(__file__).with_name("nvflare_site.py")),
        train_args=f"--sites {given.sites}",
        key_metric="dice",
    )
    recipe.execute(SimEnv(num_clients=2, num_threads=2, workspace_root=str(given.work)))


if __name__ == "__main__":
    main()
