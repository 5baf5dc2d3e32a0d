#!/usr/bin/env python3
"""450 clients at once, each with a POST.

    ./load.py                                  # through the gateway, with queue
    ./load.py --path /unbounded                # through the gateway, without
    ./load.py --port 9321 --clients 450        # one service alone
"""

import argparse
import asyncio
import sys
import time
from collections import Counter

BODY = b"x" * 4096


async def client(options, outcomes, times):
    begun = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", options.port)
        head = f"POST {options.path} HTTP/1.1\r\nHost: load\r\nContent-Length: {len(BODY)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + BODY)
        status = (await reader.readuntil(b"\r\n")).split(b" ")[1].decode()
        await reader.read()
        writer.close()
        outcomes[status] += 1
        times.append(time.monotonic() - begun)
    except (OSError, asyncio.IncompleteReadError):
        outcomes["no answer"] += 1


async def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=9320)
    parser.add_argument("--path", default="/")
    parser.add_argument("--clients", type=int, default=450)
    options = parser.parse_args()
    outcomes, times = Counter(), []
    begun = time.monotonic()
    await asyncio.gather(*(client(options, outcomes, times) for _ in range(options.clients)))
    print(f"{options.clients} clients: {dict(outcomes)} in {time.monotonic() - begun:.1f} s")
    if times:
        ordered = sorted(times)
        print(f"p50 {ordered[len(ordered) // 2]:.2f} s, longest {ordered[-1]:.2f} s")
    return set(outcomes) != {"200"}


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
