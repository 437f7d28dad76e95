"""Rule `apply_threshold`: plain values to hakken.stages.apply_threshold."""

from typing import TYPE_CHECKING

from hakken.stages.apply_threshold import apply_threshold

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

apply_threshold(
    rule=snakemake.input.rule,
    freeze=snakemake.input.freeze,
    prepared=snakemake.input.prepared,
    output=snakemake.output.predictions,
    log=snakemake.log[0],
)
