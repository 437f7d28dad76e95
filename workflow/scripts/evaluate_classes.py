"""Rule `evaluate_classes`: plain values to hakken.stages.evaluate_classes."""

from typing import TYPE_CHECKING

from hakken.stages.evaluate_classes import evaluate_classes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

evaluate_classes(
    study=snakemake.params.study,
    model=snakemake.params.model,
    part=snakemake.params.part,
    predictions=snakemake.input.predictions,
    output=snakemake.output.evaluation,
    log=snakemake.log[0],
)
