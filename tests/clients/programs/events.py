"""Reads the events of a job with a library until the job has ended: LIBRARY URL TOKEN. Prints what a program gets."""

import asyncio
import json
import sys

library, url, token = sys.argv[1:]
headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}


def told(name, data):
    event = json.loads(data)  # what is no event of ours fails here
    print(name, event["event_id"], event["status"], flush=True)
    return event["status"] in ("completed", "failed", "cancelled")


def httpx_sse():
    import httpx
    from httpx_sse import connect_sse

    with httpx.Client(timeout=60) as client, connect_sse(client, "GET", url, headers=headers) as source:
        for event in source.iter_sse():
            if told(event.event, event.data):
                return


def sseclient():
    import requests
    import sseclient as library_module

    answer = requests.get(url, headers=headers, stream=True, timeout=60)
    for event in library_module.SSEClient(answer.iter_content(1)).events():
        if told(event.event, event.data):
            return


def aiohttp_sse_client():
    from aiohttp_sse_client.client import EventSource

    async def read():
        async with EventSource(url, headers=headers) as source:
            async for event in source:
                if told(event.type, event.data):
                    return

    asyncio.run(read())


{name: value for name, value in globals().items() if callable(value)}[library]()
