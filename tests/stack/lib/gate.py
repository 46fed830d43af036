"""A door before the registry that asks for a name and a password, as the proxies of real ones do."""

import base64
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stack import HOST, port


class Gate:
    """Use as a context. `refused` counts those that it did not let through."""

    def __init__(self, registry_url: str, user: str, password: str):
        self.refused = 0
        wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        gate = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length) if length else None
                if self.headers.get("authorization") != wanted:
                    gate.refused += 1
                    self.answer(401, b'{"error_code":40101,"message":"wrong name or password"}')
                    return
                kind = {"content-type": self.headers.get("content-type", "application/json")}
                request = urllib.request.Request(registry_url + self.path, body, kind, method=self.command)
                try:
                    with urllib.request.urlopen(request, timeout=20) as reply:
                        self.answer(reply.status, reply.read())
                except urllib.error.HTTPError as error:
                    self.answer(error.code, error.read())

            do_POST = do_GET

            def answer(self, status: int, body: bytes):
                self.send_response(status)
                self.send_header("content-type", "application/vnd.schemaregistry.v1+json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((HOST, port(18181)), Door)
        self.url = f"http://{HOST}:{port(18181)}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
