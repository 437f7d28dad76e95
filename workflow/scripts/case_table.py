"""Rule `case_table`: plain values to hakken.stages.case_table."""

from typing import TYPE_CHECKING

from hakken.stages.case_table import case_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

case_table(
    evaluation=snakemake.input.evaluation,
    candidates=snakemake.input.candidates,
    prepared=snakemake.input.prepared,
    roc=snakemake.output.roc,
    cases=snakemake.output.cases,
    log=snakemake.log[0],
)
