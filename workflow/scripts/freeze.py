"""Rule `freeze`: plain values to hakken.stages.freeze."""

from typing import TYPE_CHECKING

from hakken.stages.freeze import freeze

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

freeze(
    study=snakemake.params.study,
    selected=snakemake.input.selected,
    models=snakemake.input.models,
    evaluations=snakemake.input.evaluations,
    apart=snakemake.input.apart,
    baselines=snakemake.input.baselines,
    separated=snakemake.input.separated,
    table=snakemake.input.table,
    codes=snakemake.params.codes,
    output=snakemake.output.freeze,
    log=snakemake.log[0],
)
