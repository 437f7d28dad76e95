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
        "write a model of several sizes at one of them, without training",
        "hakken export results/polyp/tiny/models/selected.pt --levels 3 --output polyp-3.pt",
        run,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="model of a study whose method has several sizes")
    parser.add_argument("--levels", type=int, metavar="N", help="number of levels (default: all)")
    parser.add_argument(
        "--features", type=float, default=1.0, metavar="F", help="fraction of the feature maps (default: 1)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="PT", help="model to write")


def run(options: argparse.Namespace) -> None:
    """Write the smaller network and say what it holds."""
    from hakken.commands.frozen_models import frozen_points
    from hakken.core.errors import InvalidArchitecture
    from hakken.core.files import sha256_file
    from hakken.runs.fit import count_weights
    from hakken.runs.model_file import load_model, save_model
    from hakken.seal.freeze import write_exported

    if options.output.resolve() == options.model.resolve():
        raise HakkenError(f"--output {options.output}: is the model itself; name another file")
    trained = load_model(options.model)
    points = frozen_points(options.model, trained.study)
    if trained.members:
        raise HakkenError(f"{options.model}: is the average of {len(trained.members)} models and has no one network")
    smaller = getattr(trained.learner, "smaller", None)
    if smaller is None:
        raise HakkenError(f"{options.model}: a model of the method `{trained.study.method}` has one size and no other")
    try:
        parameters, small, words = smaller(trained.model, options.levels, options.features)
    except InvalidArchitecture as error:
        raise HakkenError(f"{options.model}: {error}") from None
    weights = {name: network.state_dict() for name, network in small.networks.items()}
    study = trained.study.model_copy(update={"parameters": parameters})
    metadata = {**trained.metadata, "size": words}
    save_model(options.output, weights, small.values, study=study, metadata=metadata)
    write_exported(options.output, sha256_file(options.model), points)
    whole = count_weights(trained.model.networks)
    print(f"{options.output}: {count_weights(small.networks)} of {whole} weights, {words}")
