"""Rule `evaluate_masks`: plain values to hakken.stages.evaluate_masks."""

from typing import TYPE_CHECKING

from hakken.stages.evaluate_masks import evaluate_masks

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

evaluate_masks(
    study=snakemake.params.study,
    model=snakemake.params.model,
    part=snakemake.params.part,
    predictions=snakemake.input.predictions,
    prepared=snakemake.input.prepared,
    operating_threshold=snakemake.input.get("threshold") or None,
    output=snakemake.output.evaluation,
    cases=snakemake.output.cases,
    log=snakemake.log[0],
)
