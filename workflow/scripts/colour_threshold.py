"""Rule `colour_threshold`: plain values to hakken.stages.colour_threshold."""

from typing import TYPE_CHECKING

from hakken.stages.colour_threshold import colour_threshold

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

colour_threshold(
    prepared=snakemake.input.prepared,
    output=snakemake.output.rule,
    predictions=snakemake.output.predictions,
    log=snakemake.log[0],
)
