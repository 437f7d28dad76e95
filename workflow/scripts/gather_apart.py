"""Rule `gather_apart`: plain values to hakken.stages.gather_apart."""

from typing import TYPE_CHECKING

from hakken.stages.gather_apart import gather_apart

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

gather_apart(
    trial=snakemake.input.trial,
    model=snakemake.output.model,
    predictions=snakemake.output.predictions,
    log=snakemake.log[0],
)
