import hashlib
import hmac
import re
import time


def is_genuine(headers, body, secret, now=None):
    """`headers` has lower-case names; `body` is the raw request body, bytes."""
    timestamp = headers.get("x-headshotpro-timestamp", "")
    now = time.time() if now is None else now
    if not re.fullmatch("[0-9]{1,15}", timestamp) or abs(now - int(timestamp)) > 300:
        return False
    signed = timestamp.encode() + b"." + body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    # The second header is there while a rotation overlaps.
    names = ("x-headshotpro-signature", "x-headshotpro-signature-previous")
    given = [headers.get(name, "") for name in names]
    return any(hmac.compare_digest(expected.encode(), text.encode()) for text in given)
