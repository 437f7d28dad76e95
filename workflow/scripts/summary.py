"""Rule `summary`: plain values to hakken.stages.summary."""

from typing import TYPE_CHECKING

from hakken.stages.summary import summary

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

summary(
    study=snakemake.params.study,
    folder=snakemake.params.folder,
    output=snakemake.output.summary,
    log=snakemake.log[0],
)
