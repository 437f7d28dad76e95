"""Adapter of every rule: `params.stage` names the stage, which gets the job's named files and parameters."""

from typing import TYPE_CHECKING

from hakken.stages import run

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

run(snakemake)
