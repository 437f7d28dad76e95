"""Rule `optimism`: plain values to hakken.stages.optimism."""

from typing import TYPE_CHECKING

from hakken.stages.optimism import optimism

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

optimism(
    study=snakemake.params.study,
    trials=snakemake.input.trials,
    prepared=snakemake.input.prepared,
    output=snakemake.output.optimism,
    log=snakemake.log[0],
)
