"""Gives the database's login roles the passwords that their addresses name."""

from collections.abc import Iterable

import psycopg
from psycopg import sql
from sqlalchemy import make_url


def set_login_passwords(owner_url: str, login_urls: Iterable[str]) -> tuple[str, ...]:
    """Set the password of each login role to the one in its address.

    The server gets scrambled passwords only, so that none is in its log.

    Args:
        owner_url: of a login that may change roles.
        login_urls: addresses as `zen_api` and so on; one without a password changes nothing.

    Returns:
        The names of the roles whose password was set.
    """
    owner = make_url(owner_url).set(drivername="postgresql")
    done = []
    with psycopg.connect(owner.render_as_string(hide_password=False)) as connection:
        for url in map(make_url, login_urls):
            if not (url.username and url.password):
                continue
            scrambled = connection.pgconn.encrypt_password(
                str(url.password).encode(), url.username.encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("alter role {} password {}").format(
                    sql.Identifier(url.username), sql.Literal(scrambled.decode())
                )
            )
            done.append(url.username)
    return tuple(done)
