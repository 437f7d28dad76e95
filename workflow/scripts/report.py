"""Rule `report`: plain values to hakken.stages.report."""

from typing import TYPE_CHECKING

from hakken.stages.report import report

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

report(
    study=snakemake.params.study,
    folder=snakemake.params.folder,
    figures=snakemake.input.figures,
    tokens_per_gpu_hour=snakemake.params.tokens_per_gpu_hour,
    tokens_per_node_hour=snakemake.params.tokens_per_node_hour,
    output=snakemake.output.page,
    log=snakemake.log[0],
)
