#!/usr/bin/env python3
"""Requests without a pause, and a count of what was lost.

    ./load.py                                  # 32 clients for 20 s
    ./load.py --seconds 60 --clients 64

Half of the clients keep their connections, half make one for each request. An answer that does not come, is cut or has
another status than 200 is lost. A client whose connection ended before a request was sent makes another, as browsers do.
"""

import argparse
import http.client
import sys
import threading
import time
from collections import Counter


def ask(connection, method):
    connection.request(method, "/", body=b"x" * 512 if method == "POST" else None)
    answer = connection.getresponse()
    answer.read()
    return answer


def client(number, options, until, counts, lock):
    connection = None
    while time.monotonic() < until:
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", options.port, timeout=10)
        try:
            answer = ask(connection, "POST" if number % 4 == 0 else "GET")
            word = "ok" if answer.status == 200 else f"status {answer.status}"
            ends = number % 2 or answer.will_close
        except (OSError, http.client.HTTPException) as error:
            word, ends = f"lost ({type(error).__name__})", True
        with lock:
            counts[word] += 1
        if ends:
            connection.close()
            connection = None


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=9340)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    counts, lock, until = Counter(), threading.Lock(), time.monotonic() + options.seconds
    threads = [threading.Thread(target=client, args=(n, options, until, counts, lock)) for n in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{sum(counts.values())} requests: {dict(counts)}")
    return set(counts) != {"ok"}


if __name__ == "__main__":
    sys.exit(main())
