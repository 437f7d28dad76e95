"""Rule `figure_learnt`: plain values to hakken.stages.figure_learnt."""

from typing import TYPE_CHECKING

from hakken.stages.figure_learnt import figure_learnt

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

figure_learnt(
    study=snakemake.params.study,
    trials=snakemake.input.trials,
    table=snakemake.input.table,
    openings=snakemake.params.openings,
    code=snakemake.params.code,
    output=snakemake.output,
    log=snakemake.log[0],
)
