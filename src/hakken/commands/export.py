"""`hakken export`: a trained network at one of its sizes, as a smaller network of its own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "export",
        "write a network of several sizes at one of them, without training",
        "hakken export results/polyp/tiny/models/selected.pt --levels 3 --output polyp-3.pt",
        run,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="model of a study with the network `unet`")
    parser.add_argument("--levels", type=int, metavar="N", help="number of levels (default: all)")
    parser.add_argument(
        "--features", type=float, default=1.0, metavar="F", help="fraction of the feature maps (default: 1)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="PT", help="model to write")


def run(options: argparse.Namespace) -> None:
    """Write the smaller network and say what it holds."""
    from hakken.runs.model_file import load_model, save_size
    from hakken.networks.patch_cnn import InvalidArchitecture
    from hakken.networks.unet import Size, UNet, sizes_of

    if options.output.resolve() == options.model.resolve():
        raise HakkenError(f"--output {options.output}: is the model itself; name another file")
    detector = load_model(options.model)
    network = detector.network
    levels = options.levels or (network.levels if isinstance(network, UNet) else 1)
    size = Size(levels, options.features)
    try:
        small = save_size(options.output, detector, size)
    except InvalidArchitecture as error:
        raise HakkenError(f"{options.model}: {error}") from None
    whole = sum(weight.numel() for weight in network.parameters())
    print(f"{options.output}: {size.words}, {small.parameter_count} of {whole} weights")
    if size not in sizes_of(detector.study.training.sizes, detector.parameters):
        print(f"this network was not trained at {size.words}; its masks there are untested")
