"""Rule `optimism_classes`: plain values to hakken.stages.optimism_classes."""

from typing import TYPE_CHECKING

from hakken.stages.optimism_classes import optimism_classes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

optimism_classes(
    study=snakemake.params.study,
    trials=snakemake.input.trials,
    output=snakemake.output.optimism,
    log=snakemake.log[0],
)
