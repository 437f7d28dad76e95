"""Rule `grid_table`: plain values to hakken.stages.grid_table."""

from typing import TYPE_CHECKING

from hakken.stages.grid_table import grid_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

grid_table(
    study=snakemake.params.study,
    cells=snakemake.input.cells,
    crops=snakemake.input.crops,
    folder=snakemake.params.folder,
    table=snakemake.output.table,
    output=snakemake.output.grid,
    log=snakemake.log[0],
)
