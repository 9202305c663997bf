"""NVFlare's simulator: a server that averages, two sites that train a bundle, two rounds."""

import argparse
import json
import sys
from pathlib import Path

from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe import SimEnv


def described(config, name: str) -> dict:
    """A network of a config as NVFlare writes it down: class and arguments, networks among them likewise.

    From a network itself it would find out neither arguments that are not kept nor networks within.
    """
    arguments = {}
    for key, value in config[name].items():
        refers = isinstance(value, str) and value.startswith("@")
        if refers and "_target_" in (config[value[1:]] if isinstance(config[value[1:]], dict) else ()):
            arguments[key] = described(config, value[1:])
        elif not key.startswith("_"):
            arguments[key] = config.get_parsed_content(f"{name}#{key}")
    return {"path": config[name]["_target_"], "args": arguments}


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
    recipe = FedAvgRecipe(
        name="bundle",
        min_clients=2,
        num_rounds=2,
        model=described(config, "network_def"),
        initial_ckpt=str(root / "models" / "model.pt"),
        train_script=str(Path(__file__).with_name("nvflare_site.py")),
        train_args=f"--sites {given.sites}",
        key_metric="dice",
    )
    recipe.add_server_file(str(root))  # the library among it, from which the server makes the network
    recipe.execute(SimEnv(num_clients=2, num_threads=2, workspace_root=str(given.work)))


if __name__ == "__main__":
    main()
