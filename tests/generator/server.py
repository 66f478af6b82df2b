"""A generator in its smallest form: grey pictures, by docs/generator/openapi.json. `server.py PORT` serves them."""
import contextlib, datetime, hashlib, hmac, json, os, struct, sys, threading, time, urllib.request, zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
SECRET = os.environ["HEADSHOT_GENERATOR_SECRET"].encode()
GENERATIONS = {}  # by id; a real generator keeps them when it restarts

def sign(timestamp, method, path, body):
    return "sha256=" + hmac.new(SECRET, f"{timestamp}.{method} {path}\n".encode() + body, hashlib.sha256).hexdigest()

def picture(width, height):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header, rows = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), (b"\0" + b"\x80" * 3 * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")

def tell(request):
    path, now = "/engine/callbacks/" + request["id"], str(int(time.time()))
    headers = {"X-Headshot-Timestamp": now, "X-Headshot-Signature": sign(now, "POST", path, b"{}")}
    with contextlib.suppress(OSError):  # not heard: Headshot asks by itself
        urllib.request.urlopen(urllib.request.Request(request["callbackUrl"], b"{}", headers), timeout=10)

def make(generation):
    request, state, photos = generation["request"], generation["state"], generation["request"]["photos"]
    for made, wish in enumerate(photos, 1):
        if GENERATIONS.get(request["id"]) is not generation: return  # deleted
        file = generation["files"][wish["place"]] = picture(wish["width"], wish["height"])
        image = {"place": wish["place"], "sha256": hashlib.sha256(file).hexdigest(), "bytes": len(file)}
        state["images"] = state["images"] + [image | {"digitalSourceType": "trainedAlgorithmicMedia"}]
        state.update(progress=made / len(photos), status="done" if made == len(photos) else "running")
        tell(request)

class Handler(BaseHTTPRequestHandler):
    make, log_message = staticmethod(make), lambda *_: None
    def serve(self):
        status, content = self.call(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 64 << 20)))
        self.send_response(status)
        self.send_header("Content-Type", "image/png" if isinstance(content, bytes) else "application/json")
        self.end_headers()
        self.wfile.write(content if isinstance(content, bytes) else json.dumps(content).encode() if content else b"")
    do_GET = do_POST = do_DELETE = serve
    def call(self, body):
        given, timestamp = (self.headers.get("X-Headshot-" + name, "") for name in ("Signature", "Timestamp"))
        is_ours = hmac.compare_digest(given, sign(timestamp, self.command, self.path, body))
        if not is_ours or abs(time.time() - int(timestamp)) > 300:
            return 401, {"error": {"code": "wrong_signature", "message": "it is not signed, or too old"}}
        for id in [id for id, old in GENERATIONS.items() if old["until"] < time.time()]: del GENERATIONS[id]
        if self.command == "POST": return self.begin(json.loads(body))
        id, *place = self.path.removeprefix("/v1/generations/").split("/images/")
        generation = GENERATIONS.get(id, {"files": {}})
        found = generation["files"].get(int(place[0])) if place else generation.get("state")
        if found and self.command == "DELETE": return 204, GENERATIONS.pop(id) and None
        return (200, found) if found else (404, {"error": {"code": "unknown", "message": "there is no such thing"}})
    def begin(self, request):
        if known := GENERATIONS.get(request["id"]): return 200, known["state"]
        state = {"id": request["id"], "status": "queued", "progress": 0, "generator": "Grey 1", "images": []}
        until = datetime.datetime.fromisoformat(request["deleteAfter"]).timestamp()
        generation = GENERATIONS[request["id"]] = {"request": request, "state": state, "files": {}, "until": until}
        threading.Thread(target=self.make, args=[generation], daemon=True).start()
        return 202, dict(state)

if __name__ == "__main__": ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
