"""Rule `optimism_masks`: plain values to hakken.stages.optimism_masks."""

from typing import TYPE_CHECKING

from hakken.stages.optimism_masks import optimism_masks

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

optimism_masks(
    study=snakemake.params.study,
    trials=snakemake.input.trials,
    prepared=snakemake.input.prepared,
    output=snakemake.output.optimism,
    log=snakemake.log[0],
)
