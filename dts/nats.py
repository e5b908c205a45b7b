"""NATS servers on loopback for the suites, and a client that is no part of the project: what it reads is what is there."""

import json
import signal
import socket
import subprocess
import time

import lab


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One nats-server; start, kill and start again keep its ports and its store."""

    def __init__(self, path, name, more="", store=None):
        self.path, self.name, self.port, self.cluster_port = path, name, free_port(), free_port()
        path.mkdir(parents=True, exist_ok=True)
        self.store, self.more, self.process = store or path / "store", more, None
        self.routes = []

    def configure(self):
        cluster = ""
        if self.routes:
            cluster = 'cluster { name: c, listen: 127.0.0.1:%d, routes: [%s] }\n' % (
                self.cluster_port, ", ".join(f'"nats://127.0.0.1:{p}"' for p in self.routes))
        (self.path / "nats.conf").write_text(
            f'server_name: {self.name}\nlisten: 127.0.0.1:{self.port}\njetstream {{ store_dir: "{self.store}", max_file_store: 100GB }}\n{cluster}{self.more}\n')

    def start(self):
        self.configure()
        self.process = subprocess.Popen(["/usr/sbin/nats-server", "-c", self.path / "nats.conf", "-l", self.path / "log"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(sig)
            self.process.wait(timeout=60)
            self.process = None

    def url(self):
        return f"nats://127.0.0.1:{self.port}"


class Cluster:
    def __init__(self, path, n=3, more=""):
        self.servers = [Server(path / f"n{i}", f"n{i}", more) for i in range(n)]
        if n > 1:
            for s in self.servers:
                s.routes = [t.cluster_port for t in self.servers]

    def start(self):
        for s in self.servers:
            s.start()
        return self

    def stop(self):
        for s in self.servers:
            s.stop(signal.SIGKILL)

    def urls(self):
        return ", ".join(s.url() for s in self.servers)

    def is_current(self, stream):
        """Whether all servers hold all of it: a reader may be served by any of them."""
        s = self.leader(stream)
        if s is None:
            return False
        try:
            with Client(s.port) as c:
                replicas = c.api(f"STREAM.INFO.{stream}").get("cluster", {}).get("replicas", [])
        except (OSError, EOFError):
            return False
        return len(replicas) == len(self.servers) - 1 and all(r["current"] and not r.get("lag") and not r.get("offline") for r in replicas)

    def leader(self, stream):
        """The server that leads this stream."""
        for s in self.servers:
            if s.process is None:
                continue
            try:
                with Client(s.port) as c:
                    name = c.api(f"STREAM.INFO.{stream}").get("cluster", {}).get("leader")
            except (OSError, EOFError, TimeoutError):
                continue
            for t in self.servers:
                if t.name == name and t.process is not None:
                    return t
        return None


class Client:
    """As much of the protocol as reading a stream needs."""

    def __init__(self, port, timeout=10, user=None):
        """user: of nats_jwt, where the server wants one."""
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.sock.makefile("rb")
        info = json.loads(self.file.readline().split(b" ", 1)[1])
        self.sid, self.early = 0, []
        who = {} if user is None else user.answer(info["nonce"])
        self.write(f"CONNECT {json.dumps({'verbose': False, 'headers': True, 'no_responders': True, 'protocol': 1} | who)}\r\nPING\r\n")
        while not self.file.readline().startswith(b"PONG"):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
        self.sock.close()

    def write(self, text):
        self.sock.sendall(text.encode() if isinstance(text, str) else text)

    def subscribe(self, subject):
        self.sid += 1
        self.write(f"SUB {subject} {self.sid}\r\n")
        return self.sid

    def message(self):
        """(subject, headers, body)"""
        while True:
            line = self.file.readline()
            if line == b"":
                raise EOFError("the server closed the connection")
            word = line.split()
            if word[0] == b"PING":
                self.write("PONG\r\n")
            elif word[0] in (b"MSG", b"HMSG"):
                size = int(word[-1])
                head = int(word[-2]) if word[0] == b"HMSG" else 0
                data = self.file.read(size + 2)[:size]
                return word[1].decode(), data[:head].decode(), data[head:], word[3].decode() if len(word) > (5 if head else 4) else None

    def request(self, subject, body=b""):
        inbox = f"_INBOX.{time.monotonic_ns()}"
        self.subscribe(inbox)
        self.write(f"PUB {subject} {inbox} {len(body)}\r\n".encode() + body + b"\r\n")
        while True:
            message = self.message()
            if message[0] == inbox:
                return message
            self.early.append(message)

    def publish(self, subject, body):
        """Into a stream; its answer."""
        return json.loads(self.request(subject, body.encode())[2])

    def api(self, what, body=None):
        return json.loads(self.request("$JS.API." + what, json.dumps(body).encode() if body else b"")[2] or b"{}")

    def count(self, stream):
        return self.api(f"STREAM.INFO.{stream}").get("state", {}).get("messages", 0)

    def read(self, stream, filter_subject=">"):
        """All messages: (sequence, subject, id, body)."""
        inbox = f"d.{time.monotonic_ns()}"
        self.subscribe(inbox)
        r = self.api(f"CONSUMER.CREATE.{stream}",
                     {"stream_name": stream, "config": {"deliver_subject": inbox, "deliver_policy": "all", "ack_policy": "none",
                                                        "filter_subject": "" if filter_subject == ">" else filter_subject,
                                                        "mem_storage": True, "num_replicas": 1, "replay_policy": "instant"}})
        assert "error" not in r, r
        out, pending = [], r["num_pending"] + r["delivered"]["consumer_seq"]
        while pending:
            subject, headers, body, reply = self.early.pop(0) if self.early else self.message()
            ident = next((line.split(": ", 1)[1] for line in headers.split("\r\n") if line.startswith("Nats-Msg-Id: ")), None)
            out.append((int(reply.split(".")[5]), subject, ident, json.loads(body)))
            # Of the delivery itself: what the answer above counts is of some moment before it.
            pending = int(reply.split(".")[8])
        return out


def wait_for_jetstream(servers, timeout=60):
    """Until every server that runs has a leader for all that is not in a stream."""
    def ready():
        for s in servers:
            if s.process is None:
                continue
            try:
                with Client(s.port) as c:
                    if "error" in c.api("INFO") or "memory" not in c.api("INFO"):
                        return False
            except (OSError, EOFError):
                return False
        return True
    lab.wait_for("JetStream", ready, timeout)
