"""Takes down what a program calls of Step Functions, on its way to an endpoint."""

import contextlib
import http.server
import threading
import urllib.error
import urllib.request


@contextlib.contextmanager
def recorder(endpoint):
    """A server that passes everything on to `endpoint`: its own address, and the set of the
    operations that were called through it."""
    called = set()

    class Passing(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            called.add(self.headers["X-Amz-Target"].rpartition(".")[2])
            request = urllib.request.Request(endpoint, body, dict(self.headers))
            try:
                answer = urllib.request.urlopen(request)
            except urllib.error.HTTPError as refused:
                answer = refused
            with answer:
                content = answer.read()
                self.send_response(answer.status)
                for name in ("Content-Type", "x-amzn-RequestId"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", called
    finally:
        server.shutdown()
        server.server_close()
