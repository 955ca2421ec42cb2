"""`tallywatt …`: the table of commands. Each is loaded when it is run, so that pricing a file needs no gateway."""

from __future__ import annotations

import cyclopts

_COMMANDS = {
    "demo": "api.commands:demo",
    "serve": "api.commands:serve_",
    "worker": "api.commands:worker",
    "adyen-standin": "api.commands:adyen_standin",
    "onboard": "api.commands:onboard",
    "db": "api.commands:db",
    "audit": "api.commands:audit",
    "unfreeze": "api.commands:unfreeze",
    "grant": "api.commands:grant",
    "token": "api.commands:token",
    "replay": "api.commands:replay",
    "price": "api.pricing:price",
    "lint": "api.pricing:lint",
    "simulate": "api.commands:simulate",
    "schema": "api.commands:schema",
    "settings": "api.commands:settings",
}

app = cyclopts.App(name="tallywatt", help="Bills electric-vehicle charging.", version_flags=[])
for _name, _place in _COMMANDS.items():
    app.command(_place, name=_name)


def main(words: list[str] | None = None) -> None:
    """Run the command of the command line, or this one."""
    app(words)


if __name__ == "__main__":
    main()
