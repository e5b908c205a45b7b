"""What hosts send on the paths of path_lan.py, run inside their namespaces:

    path_traffic.py serve PORT
    path_traffic.py tcp FROM TO PORT OCTETS FLOWS     a short question and its answer, then OCTETS towards the server
    path_traffic.py fetch FROM TO PORT OCTETS FLOWS   ... from the server
    path_traffic.py udp FROM TO PORT OCTETS COUNT     a datagram of OCTETS (IP packet) every 100 ms, as the kernel allows, DF
    path_traffic.py ttl FROM TO PORT COUNT HOPS...    datagrams with these hop limits in turn, 100 a second
    path_traffic.py connect FROM TO PORT COUNT        connections that somebody refuses

Every socket gives up after TIMEOUT_S seconds. tcp and fetch end with status 0 when all that was to be sent has arrived.
"""

import errno
import socket
import sys
import threading
import time

TIMEOUT_S = 40
QUESTION = 300


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def receive(c, n):
    got = 0
    while got < n:
        part = len(c.recv(65536))
        if part == 0:
            break
        got += part
    return got


def answer(c):
    c.settimeout(TIMEOUT_S)
    try:
        question = b""
        while len(question) < QUESTION:
            part = c.recv(QUESTION - len(question))
            if not part:
                return
            question += part
        n, mode = int(question[:20]), question[20:21]
        c.sendall(b"+")
        if mode == b"f":
            c.sendall(bytes(n))
            c.recv(1)
        elif receive(c, n) == n:
            c.sendall(b"-")
    except OSError:
        pass
    finally:
        c.close()


def serve(port):
    s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    u.bind(("::", port))
    while True:
        threading.Thread(target=answer, args=(s.accept()[0],), daemon=True).start()


def transfer(mode, src, dst, port, n, done):
    try:
        with socket.socket(family(dst), socket.SOCK_STREAM) as c:
            c.settimeout(TIMEOUT_S)
            c.bind((src, 0))
            c.connect((dst, port))
            c.sendall(b"%-20d" % n + mode + bytes(QUESTION - 21))
            if c.recv(1) != b"+":
                return
            if mode == b"f":
                done.append(receive(c, n) == n)
            else:
                c.sendall(bytes(n))
                done.append(c.recv(1) == b"-")
    except OSError:
        pass


def transfers(mode, src, dst, port, n, flows):
    done = []
    threads = [threading.Thread(target=transfer, args=(mode, src, dst, port, n, done)) for _ in range(flows)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return 0 if done == [True] * flows else 1


def udp(src, dst, port, n, count):
    v6 = family(dst) == socket.AF_INET6
    with socket.socket(family(dst), socket.SOCK_DGRAM) as s:
        # IPV6_MTU_DISCOVER and IP_MTU_DISCOVER, *_PMTUDISC_DO
        s.setsockopt(*((socket.IPPROTO_IPV6, 23, 2) if v6 else (socket.IPPROTO_IP, 10, 2)))
        s.bind((src, 0))
        s.connect((dst, port))
        length = n
        for _ in range(count):
            try:
                s.send(bytes(length - (48 if v6 else 28)))
            except OSError as e:
                if e.errno == errno.EMSGSIZE:
                    length = s.getsockopt(*((socket.IPPROTO_IPV6, 24) if v6 else (socket.IPPROTO_IP, 14)))
            time.sleep(0.1)
    return 0


def ttl(src, dst, port, count, *hops):
    v6 = family(dst) == socket.AF_INET6
    with socket.socket(family(dst), socket.SOCK_DGRAM) as s:
        s.bind((src, 0))
        for i in range(count):
            s.setsockopt(*((socket.IPPROTO_IPV6, 16) if v6 else (socket.IPPROTO_IP, 2)), hops[i % len(hops)])
            try:
                s.sendto(b"probe", (dst, port + i % len(hops)))
            except OSError:
                pass
            time.sleep(0.01)
    return 0


def connect(src, dst, port, count):
    for _ in range(count):
        with socket.socket(family(dst), socket.SOCK_STREAM) as c:
            c.settimeout(1)
            c.bind((src, 0))
            try:
                c.connect((dst, port))
            except OSError:
                pass
    return 0


def main(what, *args):
    if what == "serve":
        return serve(int(args[0]))
    src, dst, *numbers = args
    port, *numbers = map(int, numbers)
    if what in ("tcp", "fetch"):
        return transfers(what[:1].encode(), src, dst, port, *numbers)
    return {"udp": udp, "ttl": ttl, "connect": connect}[what](src, dst, port, *numbers)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
