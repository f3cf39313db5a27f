"""moto on a free port, over TLS with --tls, until standard input ends."""

import os
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


def wait():
    sys.stdin.read()
    os._exit(0)


folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tls")
tls = None
if "--tls" in sys.argv:
    tls = (os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, True, request_handler=Quiet, ssl_context=tls)
print(server.server_port, flush=True)
threading.Thread(target=wait, daemon=True).start()
server.serve_forever()
