"""A small OpenID provider of our own, a process that signs with its own key.

It logs in whoever comes as the person that it was last told of, takes a code once, and holds the
client to its secret and to PKCE. What it puts into a token can be bent, to see what is refused.
"""

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

CLIENT, SECRET = "zenops-test", "a:secret of / this+client"
KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
BENT: dict = {}
CODES: dict = {}


class Provider(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(url.query).items()}
        issuer = f"http://{self.headers['Host']}"
        if url.path == "/.well-known/openid-configuration":
            self.say(
                {
                    "issuer": BENT.get("issuer", issuer),
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/{BENT.get('token_path', 'token')}",
                    "jwks_uri": f"{issuer}/keys",
                }
            )
        elif url.path == "/keys":
            self.say(KeySet([KEY]).as_dict(private=False))
        elif url.path == "/authorize":
            assert given["response_type"] == "code"
            assert given["code_challenge_method"] == "S256"
            assert given["client_id"] == CLIENT
            assert "openid" in given["scope"].split()
            code = secrets.token_urlsafe(16)
            CODES[code] = given
            back = urlencode({"code": code, "state": given["state"]})
            self.send_response(302)
            self.send_header("Location", f"{given['redirect_uri']}?{back}")
            self.end_headers()
        elif url.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", f"{issuer}/keys")
            self.end_headers()
        else:
            self.say({}, 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/bend":
            BENT.clear()
            BENT.update(json.loads(body))
            return self.say({})
        if self.path == "/elsewhere":
            return self.do_GET()
        given = {name: values[0] for name, values in parse_qs(body).items()}
        asked = CODES.pop(given.get("code"), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != given["redirect_uri"]
            or not self.is_our_client()
        ):
            return self.say({"error": "invalid_grant"}, 400)
        return self.say({"token_type": "Bearer", "id_token": self.id_token(asked)})

    def is_our_client(self):
        from urllib.parse import unquote_plus

        kind, _, text = self.headers.get("Authorization", "").partition(" ")
        name, _, secret = base64.b64decode(text).decode().partition(":")
        return kind == "Basic" and (unquote_plus(name), unquote_plus(secret)) == (CLIENT, SECRET)

    def id_token(self, asked):
        at = int(time.time())
        claims = {
            "iss": f"http://{self.headers['Host']}",
            "sub": "somebody",
            "aud": CLIENT,
            "iat": at,
            "exp": at + BENT.get("lasts", 300),
            "nonce": asked["nonce"],
            "email_verified": True,
            **BENT.get("claims", {}),
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        signed_by = BENT.get("signed_by", "own")
        if signed_by == "nobody":
            parts = (
                base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
                for part in ({"alg": "none", "typ": "JWT"}, claims)
            )
            return ".".join((*parts, ""))
        if signed_by == "secret":
            key = OctKey.import_key(SECRET * 2)
            return jwt.encode({"alg": "HS256"}, claims, key, algorithms=["HS256"])
        key = OTHER_KEY if signed_by == "other" else KEY
        return jwt.encode({"alg": "ES256", "kid": "one"}, claims, key)

    def say(self, body, status=200):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    print(server.server_address[1], flush=True)  # noqa: T201 - whoever starts us reads it
    sys.stdout.close()
    server.serve_forever()
