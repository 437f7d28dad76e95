"""Rule `trial`: plain values to hakken.stages.trial."""

from typing import TYPE_CHECKING

from hakken.stages.trial import trial

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

trial(
    study=snakemake.params.study,
    sweep=snakemake.params.sweep,
    number=snakemake.params.number,
    patches=snakemake.input.store,
    prepared=snakemake.input.prepared,
    ledger=snakemake.params.ledger,
    work=snakemake.params.work,
    logs=snakemake.params.logs,
    source=snakemake.params.source,
    output=snakemake.output.trial,
    threads=snakemake.threads,
    minutes=snakemake.params.minutes,
    attempt=snakemake.params.attempt,
    across=snakemake.params.across,
    code=snakemake.params.code,
    log=snakemake.log[0],
)
