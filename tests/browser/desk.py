"""What the browser's tests do with the desk, as a person would."""

import http.client
import json
from io import BytesIO
from urllib.parse import urlsplit

from PIL import Image


class Desk:
    """Where the service is, and who may log in there."""

    def __init__(self, url, people):
        self.url = url
        self.people = people
        self.tokens = {}

    def log_in(self, page, email):
        page.goto("/desk/login")
        page.fill("#email", email)
        page.fill("#password", self.people[email])
        page.click("button[type=submit]")
        page.wait_for_url("**/desk/")

    def call(self, method, path, body, email="admin@demo.example"):
        """An answer of the API, for what a test needs to be there before it begins."""
        if email not in self.tokens:
            login = {"email": email, "password": self.people[email], "audience": "web"}
            self.tokens[email] = _send(f"{self.url}/v1/auth/login", "POST", login)["token"]
        return _send(f"{self.url}{path}", method, body, self.tokens[email])

    def new_work_order(self, title, report_type="VALUATION", **more):
        body = {"report_type": report_type, "bank_type": "SBI", "title": title, **more}
        answer = self.call("POST", "/v1/repogen/work-orders", body)
        return answer.get("work_order", answer)["work_order_id"]


def _send(url, method, body, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, parts.path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 400, text
        return json.loads(text)
    finally:
        connection.close()


def photograph(colour, *, located=True):
    """The bytes of a JPEG with a position and a time, as a telephone writes them."""
    picture = Image.new("RGB", (640, 480), colour)
    # Something to see, so that no two pictures look the same.
    for number, shade in enumerate(colour):
        picture.paste(
            (shade, 255 - shade, number * 80),
            (40 + 150 * number, shade, 160 + 150 * number, shade + 90),
        )
    exif = Image.Exif()
    if located:
        exif.get_ifd(0x8769)[0x9003] = "2026:11:10 11:02:00"
        exif.get_ifd(0x8769)[0x9011] = "+05:30"
        exif.get_ifd(0x8825).update(
            {1: "N", 2: (12.0, 20.0, 15.04), 3: "E", 4: (76.0, 36.0, 43.32)}
        )
    out = BytesIO()
    picture.save(out, "JPEG", exif=exif)
    return out.getvalue()
