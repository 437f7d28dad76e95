"""Rule `select_trial`: plain values to hakken.stages.select_trial."""

from typing import TYPE_CHECKING

from hakken.stages.select_trial import select_trial

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

select_trial(
    trials=snakemake.input.trials,
    default=snakemake.input.default,
    models=snakemake.output.models,
    predictions=snakemake.output.predictions,
    output=snakemake.output.selected,
    log=snakemake.log[0],
)
