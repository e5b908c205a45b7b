"""Keys and tokens as a NATS operator makes them (JWT version 2, ed25519-nkey), for servers that know their clients by tokens:
who signs is named in the token, so a server holds the operator's and the accounts' alone."""

import base64
import hashlib
import json
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KINDS = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
SEED = 18 << 3


def crc16(data):
    crc = 0
    for octet in data:
        crc ^= octet << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    return crc


def base32(data):
    return base64.b32encode(data).decode().rstrip("=")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    def __init__(self, kind):
        self.kind, self.private = kind, Ed25519PrivateKey.generate()
        self.public = self.text(bytes([KINDS[kind]]), self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw))
        # The kind of the key is spread over both octets.
        self.seed = self.text(bytes([SEED | KINDS[kind] >> 5, (KINDS[kind] & 31) << 3]), self.private.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()))

    @staticmethod
    def text(kind, raw):
        return base32(kind + raw + crc16(kind + raw).to_bytes(2, "little"))

    def sign(self, data):
        return base64url(self.private.sign(data))

    def token(self, of, name, **claims):
        """What this key says of that one."""
        about = {"iat": int(time.time()), "iss": self.public, "name": name, "sub": of.public}
        ident = base32(hashlib.new("sha512_256", json.dumps(about, separators=(",", ":")).encode()).digest())
        text = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (
            {"typ": "JWT", "alg": "ed25519-nkey"}, about | {"jti": ident, "nats": claims | {"type": of.kind, "version": 2}}))
        return f"{text}.{self.sign(text.encode())}"


class User:
    """One of an account; creds is what stands in its credentials file."""

    def __init__(self, account, name, publish=None, subscribe=None):
        self.key = Key("user")
        rights = ({"pub": {"allow": publish}} if publish else {}) | ({"sub": {"allow": subscribe}} if subscribe else {})
        self.token = account.token(self.key, name, **rights, subs=-1, data=-1, payload=-1)

    def creds(self, token=None, seed=None):
        return (f"-----BEGIN NATS USER JWT-----\n{token or self.token}\n------END NATS USER JWT------\n\n"
                "************************* IMPORTANT *************************\n"
                "NKEY Seed printed below can be used to sign and prove identity.\n\n"
                f"-----BEGIN USER NKEY SEED-----\n{seed or self.key.seed}\n------END USER NKEY SEED------\n\n"
                "*************************************************************\n")

    def answer(self, nonce):
        """What a CONNECT holds of it."""
        return {"jwt": self.token, "sig": self.key.sign(nonce.encode())}


class Operator:
    """An operator, an account with JetStream for the fleet and the system's; conf is what a server is told of them."""

    def __init__(self):
        self.key, self.system, self.account = Key("operator"), Key("account"), Key("account")
        limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
        store = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
        self.conf = "\n".join([
            f"operator: {self.key.token(self.key, 'operator', system_account=self.system.public)}", "resolver: MEMORY", "resolver_preload: {",
            f"  {self.system.public}: {self.key.token(self.system, 'system', limits=limits)}",
            f"  {self.account.public}: {self.key.token(self.account, 'fleet', limits=limits | store)}", "}"])

    def user(self, name, publish=None, subscribe=None):
        return User(self.account, name, publish, subscribe)
