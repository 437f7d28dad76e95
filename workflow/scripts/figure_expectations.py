"""Rule `figure_expectations`: plain values to hakken.stages.figure_expectations."""

from typing import TYPE_CHECKING

from hakken.stages.figure_expectations import figure_expectations

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_expectations(
    study=snakemake.params.study,
    expected=snakemake.input.expected,
    prepared=snakemake.input.prepared,
    candidates=snakemake.input.candidates,
    lesions=snakemake.input.lesions,
    evaluation=snakemake.input.evaluation,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
