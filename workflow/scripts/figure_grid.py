"""Rule `figure_grid`: plain values to hakken.stages.figure_grid."""

from typing import TYPE_CHECKING

from hakken.stages.figure_grid import figure_grid

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_grid(
    study=snakemake.params.study,
    grid=snakemake.input.grid,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
