"""Puts a finished shoot of two photos into a server's database; prints what it is called."""

import json
import sqlite3
import sys

MODEL = "507f1f77bcf86cd799439011"
PHOTOS = ["507f1f77bcf86cd799439022", "507f1f77bcf86cd799439033"]
AT = 1_705_318_200_000

file, org = sys.argv[1:]
database = sqlite3.connect(file, timeout=10)
with database:
    database.execute(
        "INSERT INTO models (id, org_id, user_id, uid, email, title, status, development, version, reserved,"
        " charged, favorite_id, created_at, finished_at)"
        " VALUES (?, ?, 'u', 'anon_1', 'jane@acme.example', 'Jane Cooper', 'active', 0, 'lora', 0, 100, ?, ?, ?)",
        (MODEL, org, PHOTOS[0], AT, AT),
    )
    for tally in ("models.active.", "favorites."):
        database.execute("INSERT INTO tallies (org_id, name, n) VALUES (?, ?, 1)", (org, tally))
    for place, photo in enumerate(PHOTOS):
        database.execute(
            "INSERT INTO photos (id, org_id, model_id, place, status, liked, format, recipe, created_at)"
            " VALUES (?, ?, ?, ?, 'active', 'none', 'jpg', '', ?)",
            (photo, org, MODEL, place, AT),
        )
database.close()
print(json.dumps({"model": MODEL, "photos": PHOTOS}))
