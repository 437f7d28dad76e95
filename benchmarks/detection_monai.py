"""MONAI's U-Net for `benchmarks/detection.py`.

The class and the widths of MONAI's own tutorials (16 to 256 maps, two residual units a level, instance normalisation,
two classes), its Dice and cross-entropy loss and its sliding window with Gaussian weights. (With one output and a
sigmoid its last normalisation is that of a single map, and in 1,200 steps no probability came above one half.) It sees
the very windows that the dense network of hakken learns from, sampling and augmentation included; the small pieces that
evaluation excludes are lesions to it. AdamW, whose rate falls along a cosine to the end of the budget. The last weights
are kept.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detection_cost import cpu_seconds
from detection_hakken import Info, dense_study
from detection_sets import Rotation
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.runs.learner import learner_of
from hakken.training.method import Data

RATE, DECAY, CLIP = 1e-3, 1e-4, 12.0
CHANNELS = (16, 32, 64, 128, 256)
WINDOW, OVERLAP, AT_ONCE = 64, 0.5, 2


class Monai:
    """MONAI's U-Net on windows of hakken's source."""

    def train(self, rotation: Rotation, budget: float, folder: Path, seed: int) -> Info:
        """Learn until the budget is spent."""
        from monai.losses import DiceCELoss

        begun = cpu_seconds()
        study = dense_study(rotation.images)
        own = derive_seed(study.seed, "benchmark", seed)
        torch.manual_seed(own)
        network = _network(rotation)
        loss = DiceCELoss(to_onehot_y=True, softmax=True)
        optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        batches = _source(rotation, own).iterate(0)
        steps, spent = 0, 0.0
        while spent < budget:
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 + math.cos(math.pi * spent / budget)) / 2
            batch = next(batches)
            images, lesions = batch["images"], (batch["targets"][:, :2].amax(1, keepdim=True) >= 0.5).float()
            optimiser.zero_grad(set_to_none=True)
            loss(network(_laid(images)), lesions).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimiser.step()
            steps, spent = steps + 1, cpu_seconds() - begun
        torch.save(network.state_dict(), folder / "weights.pt")
        return {"steps": steps, "weights": sum(one.numel() for one in network.parameters())}

    def predict(self, rotation: Rotation, folder: Path, case: PreparedCase) -> NDArray[np.float32]:
        """Return the probability of a lesion at each voxel of the mask."""
        from monai.inferers import sliding_window_inference

        network = _network(rotation)
        network.load_state_dict(torch.load(folder / "weights.pt"))
        network.eval()
        flat, mask = rotation.images.axes == 2, case.mask()
        (box,) = ndimage.find_objects((mask > 0).astype(np.uint8))
        image = torch.from_numpy(np.array(case.image()[(slice(None), *box)], np.float32))
        seen = image.transpose(0, 1) if flat else image[None]
        with torch.inference_mode():
            said = sliding_window_inference(
                seen,
                (rotation.images.edge,) * 2 if flat else (WINDOW,) * 3,
                AT_ONCE,
                lambda window: torch.softmax(network(_laid(window)), 1)[:, 1:],
                OVERLAP,
                mode="gaussian",
            )
        found = np.zeros(mask.shape, np.float32)
        found[box] = np.asarray(said[:, 0] if flat else said[0, 0])
        return found * (mask > 0)


def _network(rotation: Rotation) -> torch.nn.Module:
    from monai.networks.nets import UNet

    network: torch.nn.Module = UNet(
        spatial_dims=rotation.images.axes,
        in_channels=len(rotation.images.content["channels"]),
        out_channels=2,
        channels=CHANNELS,
        strides=(2,) * (len(CHANNELS) - 1),
        num_res_units=2,
        norm="INSTANCE",
    )
    return network.to(memory_format=torch.channels_last if rotation.images.axes == 2 else torch.channels_last_3d)


def _laid(images: torch.Tensor) -> torch.Tensor:
    return images.contiguous(memory_format=torch.channels_last if images.ndim == 4 else torch.channels_last_3d)


def _source(rotation: Rotation, seed: int) -> Any:
    """Return the source of windows of a dense network of hakken on the same set."""
    study = dense_study(rotation.images)
    learner: Any = learner_of(study)
    data = Data(tuple(rotation.cases("train")))
    return learner.players(learner.networks(), data, seed, torch.device("cpu"))[0].source
