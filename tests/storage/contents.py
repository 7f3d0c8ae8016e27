"""What a directory holds in these tests, before and after it is replaced."""

OLD = {"config.json": b'{"old": true}', "encodings/text.json": b"[1, 2]"}
NEW = {"config.json": b'{"new": true}', "model.safetensors": bytes(range(256)) * 8}
