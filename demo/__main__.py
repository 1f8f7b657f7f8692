"""`python -m demo`: two servers of our own, a hotel's year of data, a day of traffic, the analyses."""

import signal
import sys

import click
import psycopg
import redis
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from dbvitals.errors import DbvitalsError
from demo.faults import FAULTS
from demo.redis_faults import REDIS_FAULTS
from demo.run import Plan, run
from demo.scale import SCALES
from demo.stages import Stages

INTERRUPTED = 130
FAILED = 3


@click.command
@click.option("--scale", type=click.Choice(list(SCALES)), default="small", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same data and traffic.")
@click.option("--no-faults", is_flag=True, help="Plant no faults: the analyses find little.")
@click.option("--keep", is_flag=True, help="Keep the data.")
@click.option("--serve", is_flag=True, help="Leave the servers running until Ctrl-C.")
def main(scale: str, seed: int, no_faults: bool, keep: bool, serve: bool) -> None:
    """Start a PostgreSQL and a Redis, fill them with a hotel's data and traffic, and analyse them."""
    # Other ways to say Ctrl-C, a service manager's and a closed terminal's: the servers are stopped, and what was
    # thrown away is removed.
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.default_int_handler)
    stages = Stages(Console(stderr=True, highlight=False))
    plan = Plan(
        scale=SCALES[scale],
        seed=seed,
        faults=() if no_faults else FAULTS,
        redis_faults=() if no_faults else REDIS_FAULTS,
        keep=keep,
        serve=serve,
    )
    try:
        sys.exit(run(plan, stages))
    except KeyboardInterrupt:
        stages.say("interrupted; the servers have been stopped")
        sys.exit(INTERRUPTED)
    except DbvitalsError as error:
        stages.say(f"demo: {error}")
        sys.exit(error.exit_code)
    except (psycopg.Error, redis.RedisError, SQLAlchemyError) as error:
        stages.say(f"demo: {type(error).__name__}: {error}")
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
