"""The reference generator as tests run it: tells each exchange, waits when told, and fails on purpose.

Standard input: the line `go` lets the next generation begin that is `held`; `tell` does nothing, but when it is obeyed,
all that was told before has been read; any other line is the list of faults from now on, see below. The end of it ends
the server. Standard output: a line of JSON with the port, then one for each exchange, and for the lines of standard
input when they are obeyed.
"""
import hashlib
import json
import os
import sys
import threading

import server

FAULTS = set()
OUTPUT = threading.Lock()
GO = threading.Semaphore(0)
FAILURES = []
NO_PICTURE = b"GIF89a, or so"


def has(fault):
    return fault in FAULTS


def say(line):
    with OUTPUT:
        print(json.dumps(line), flush=True)


def resized(request, width, height):
    wishes = [wish | {"width": width(wish["width"]), "height": height(wish["height"])} for wish in request["photos"]]
    return request | {"photos": wishes}


def make(generation):
    request, state = generation["request"], generation["state"]
    if has("short"):
        generation["request"] = request | {"photos": request["photos"][:-1]}
    if has("small"):
        generation["request"] = resized(request, lambda width: width - 1, lambda height: height)
    if has("large"):
        generation["request"] = resized(request, lambda width: width * 2, lambda height: height * 3)
    if has("fails") or has("fails-for-good"):
        state["error"] = {"code": "no_memory", "message": "the card is full", "retryable": has("fails")}
        state["status"] = "failed"
    elif has("cancels"):
        state["status"] = "cancelled"
    else:
        if has("held"):
            state.update(status="running", progress=0.4)
            GO.acquire()
        server.make(generation)


def changed(images, **fields):
    return [image | {name: change(image) for name, change in fields.items()} for image in images]


SPOILED_IMAGES = {
    "unasked": lambda images: images + changed(images[:1], place=lambda _: 199),
    "too-many": lambda images: [images[0] | {"place": place} for place in range(201)],
    "twice": lambda images: images + images[:1],
    "wrong-digest": lambda images: changed(images, sha256=lambda _: "0" * 64),
    "longer": lambda images: changed(images, bytes=lambda image: image["bytes"] - 1),
    "shorter": lambda images: changed(images, bytes=lambda image: image["bytes"] + 1),
    "huge": lambda images: changed(images, bytes=lambda _: (32 << 20) + 1),
    "no-picture": lambda images: changed(
        images, bytes=lambda _: len(NO_PICTURE), sha256=lambda _: hashlib.sha256(NO_PICTURE).hexdigest()
    ),
}


def spoiled(state):
    if has("garbage"):
        return ["not", "what", "was", "agreed"]
    if has("endless"):
        return state | {"noise": "x" * (256 << 10)}
    for fault, spoil in SPOILED_IMAGES.items():
        if has(fault) and state["images"]:
            return state | {"images": spoil(state["images"])}
    return state


class Handler(server.Handler):
    make = staticmethod(make)

    def call(self, body):
        status, content = self.fault() or super().call(body)
        if self.command == "GET" and isinstance(content, dict) and "status" in content:
            content = spoiled(content)
        if isinstance(content, bytes) and has("no-picture"):
            content = NO_PICTURE
        told = {"size": len(content)} if isinstance(content, bytes) else content
        asked = json.loads(body) if body else None
        headers = {name: self.headers[name] for name in ("X-Headshot-Timestamp", "X-Headshot-Signature")}
        exchange = {"method": self.command, "path": self.path, "headers": headers, "request": asked}
        say(exchange | {"status": status, "answer": told})
        return status, content

    def fault(self):
        if FAILURES:
            return FAILURES.pop(), {"error": {"code": "busy"}}
        if has("away"):
            return 503, {"error": {"code": "away"}}
        if has("redirects"):
            return 302, None
        if has("refuses") and self.command == "POST":
            return 422, {"error": {"code": "no_such_style", "message": "mono is not known here"}}
        return None


def tell(request):
    if not has("silent"):
        server_tell(request)


server_tell, server.tell = server.tell, tell
listener = server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
say({"port": listener.server_address[1]})
threading.Thread(target=listener.serve_forever, daemon=True).start()
for line in sys.stdin:
    if line.strip() == "go":
        GO.release()
    elif line.strip() != "tell":
        FAULTS.clear()
        FAULTS.update(line.split())
        FAILURES[:] = [500, 503, 429] if has("busy") else []
    say({"obeyed": line.strip()})
os._exit(0)
