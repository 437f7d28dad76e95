"""Rule `grid_crops`: plain values to hakken.stages.grid_crops."""

from typing import TYPE_CHECKING

from hakken.stages.grid_crops import grid_crops

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

grid_crops(
    study=snakemake.params.study,
    prepared=snakemake.input.prepared,
    output=snakemake.output.crops,
    log=snakemake.log[0],
)
