"""Rule `size_costs`: plain values to hakken.stages.size_costs."""

from typing import TYPE_CHECKING

from hakken.stages.size_costs import size_costs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

size_costs(
    models=snakemake.input.models,
    prepared=snakemake.input.prepared,
    output=snakemake.output.costs,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
