"""Posts signed events to the receiver from some connections at once; prints how many were taken.

Arguments: port, connections. Standard input: a JSON pair (body, signature) a line.
"""

import asyncio
import json
import sys

from oltp_lab.neighbours.payments.receiver import PATH
from oltp_lab.neighbours.services import HOST


async def _post(port: int, waiting: list[list[str]]) -> int:
    reader, writer = await asyncio.open_connection(HOST, port)
    taken = 0
    while waiting:
        body, header = waiting.pop()
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n"
            f"Stripe-Signature: {header}\r\n\r\n{body}".encode()
        )
        answer = await reader.readuntil(b"\r\n\r\n")
        taken += answer.split()[1] == b"204"
    writer.close()
    return taken


async def _all(port: int, links: int) -> int:
    waiting = [json.loads(line) for line in sys.stdin]
    return sum(await asyncio.gather(*(_post(port, waiting) for _ in range(links))))


if __name__ == "__main__":
    print(asyncio.run(_all(int(sys.argv[1]), int(sys.argv[2]))))
