"""What is to be done: so many messages of a kind, to receivers of a kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """`name` is the profile's key in the results; sizes in octets, `delay` in seconds, `put_off` a share.

    `tarpit` and `dead` are domains (separated by spaces) that keep a transaction, or a connection, waiting
    for ever; messages to the domains in `uncounted` do not count. `messages_per_connection` None: what each
    MTA does by default. `per_second` None: as fast as it goes.
    """

    name: str
    messages: int
    size: int = 10_240
    domains: int = 20
    template: bool = True
    delay: float = 0.0
    put_off: float = 0.0
    tls: bool = False
    messages_per_connection: int | None = None
    tarpit: str = ""
    dead: str = ""
    uncounted: str = ""
    per_second: float | None = None

    @property
    def kind(self) -> str:
        """ "lab" or "field", or the name of another figure."""
        return self.name.partition("-")[0]

    @property
    def counted(self) -> int:
        """How many messages the receiver has to answer before the clock stops."""
        return sum(f"d{n % self.domains:04}.bench" not in self.uncounted for n in range(self.messages))

    def receiver_options(self) -> list[str]:
        """Command line of bench.receiver."""
        options = ["--delay", str(self.delay), "--put-off", str(self.put_off)]
        options += ["--tarpit", self.tarpit, "--dead", self.dead, "--uncounted", self.uncounted]
        return options + ["--tls"] * self.tls

    def source_options(self, run: str) -> list[str]:
        """Command line of bench.source."""
        options = ["--run", run, "--messages", str(self.messages), "--size", str(self.size)]
        options += ["--domains", str(self.domains)] + ["--template"] * self.template
        return options + (["--per-second", str(self.per_second)] if self.per_second else [])


# The counts are such that a run lasts several seconds, and all of `make bench` some minutes.
PROFILES = {
    job.name: job
    for job in (
        Job("lab", 8_000),
        Job("lab-100k", 2_000, size=102_400),
        Job(
            "field",
            4_000,
            domains=2_000,
            template=False,
            delay=0.08,
            put_off=0.05,
            tls=True,
            messages_per_connection=20,
        ),
    )
}
