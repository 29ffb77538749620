"""Ports for the servers of a test."""

import socket

# Held until the program ends.
reserved = []


def reserve_port():
    """A port of 127.0.0.1 on which servers can listen one after another. Until the program ends, a bound socket keeps other
    programs from getting it; SO_REUSEADDR lets the servers have it."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    reserved.append(holder)
    return holder.getsockname()[1]
