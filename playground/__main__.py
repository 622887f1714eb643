"""`python -m playground` serves the stand-ins; `python -m playground up` starts the whole product."""

import argparse
import sys

from pydantic import ValidationError

from playground.config import Config

_DESCRIPTION = "A Slack and a model server on this machine: to try Threadline, to test it, to break it."
_EPILOG = "Settings come from the environment; playground/README.md lists them."


def main(argv: list[str] | None = None) -> int:
    """Serve, or start everything. Returns the process's exit code: 2 for bad settings, 1 for a failed start."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["up"]:
        # Its options, and its --help, are its own.
        from playground import up

        return up.main(words[1:])
    parser = argparse.ArgumentParser(prog="python -m playground", description=_DESCRIPTION, epilog=_EPILOG)
    choices = parser.add_subparsers(dest="what", metavar="{serve,up}")
    choices.add_parser("serve", help="the stand-ins and the page alone (the default)")
    choices.add_parser("up", help="the whole product: broker, every Procfile process and the playground")
    parser.parse_args(words)
    return _serve()


def _serve() -> int:
    # Imported here, so that --help and a wrong setting answer at once.
    from playground import server

    try:
        config = Config()
        if server.run(config, lambda: print(f"The playground is at {config.url}/", flush=True)):
            return 0
        print(f"The playground could not listen on {config.url}; is the port taken?", file=sys.stderr)
        return 1
    except ValidationError as error:
        for problem in error.errors():
            print(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}.", file=sys.stderr)
        return 2
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
