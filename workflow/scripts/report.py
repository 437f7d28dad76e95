"""Rule `report`: plain values to hakken.stages.report."""

from typing import TYPE_CHECKING

from hakken.stages.report import report

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

report(
    study=snakemake.params.study,
    folder=snakemake.params.folder,
    figures=snakemake.input.figures,
    output=snakemake.output.page,
    log=snakemake.log[0],
)
