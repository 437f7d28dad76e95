"""Rule `overview`: plain values to hakken.stages.overview."""

from typing import TYPE_CHECKING

from hakken.stages.overview import overview

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

overview(
    studies=snakemake.params.studies,
    folders=snakemake.params.folders,
    page=snakemake.output.page,
    sheet=snakemake.output.sheet,
    log=snakemake.log[0],
)
