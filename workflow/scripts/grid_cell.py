"""Rule `grid_cell`: plain values to hakken.stages.grid_cell."""

from typing import TYPE_CHECKING

from hakken.stages.grid_cell import grid_cell

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

grid_cell(
    study=snakemake.params.study,
    cell=snakemake.params.cell,
    crops=snakemake.input.crops,
    work=snakemake.params.work,
    output=snakemake.output.record,
    threads=snakemake.threads,
    minutes=snakemake.params.minutes,
    code=snakemake.params.code,
    log=snakemake.log[0],
)
