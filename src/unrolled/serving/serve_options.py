"""The options of ``unrolled serve``: where it listens, whom it lets in, and every limit."""

from __future__ import annotations

from unrolled.config import Part, option

__all__ = ["ServeOptions"]


class ServeOptions(Part):
    """The options of a server. All times are in seconds, all sizes in bytes."""

    host: str = option("127.0.0.1", "Address to listen on; any but a loopback address needs --token-file.")
    port: int = option(8080, "Port to listen on; 0 for any free one.", ge=0, le=65535)
    token_file: str | None = option(None, "File with the tokens that clients may use, one a line.")
    origin: tuple[str, ...] = option((), "Origins of web pages that may call the server, such as https://example.org.")
    name: tuple[str, ...] = option((), "Names of this server in requests, besides localhost and addresses of numbers.")
    proxy_from: tuple[str, ...] = option((), "Addresses of proxies whose X-Forwarded headers are believed.")
    max_batch: int = option(4096, "Sessions that are stepped in one call.", ge=1)
    linger: float = option(0.0, "Wait so long for more steps before a call.", ge=0, le=1)
    deadline: float = option(10.0, "A step that waited so long since its arrival is not taken.", gt=0)
    session_waiting: int = option(32, "Messages of one session that may wait.", ge=1)
    waiting: int = option(20_000, "Steps that may wait in all, for each model.", ge=1)
    session_steps: int = option(10_000, "Steps of a session whose state grows with each; others have no limit.", ge=1)
    message_steps: int = option(256, "Steps of one session in a message.", ge=1)
    steps: int = option(4096, "Steps of many sessions in a message.", ge=1)
    value_steps: int = option(4096, "Steps of one value, such as the tokens of a text.", ge=1)
    sessions: int = option(100_000, "Sessions in memory.", ge=1)
    sockets: int = option(20_000, "WebSocket connections.", ge=1)
    body: int = option(1_048_576, "Size of a request.", ge=1)
    predict_body: int = option(33_554_432, "Size of a table that is sent.", ge=1)
    predict_waiting: int = option(8, "Requests for predictions that may wait.", ge=1)
    predict_deadline: float = option(60.0, "A request for predictions that takes so long is given up.", gt=0)
    snapshot: int = option(67_108_864, "Size of a snapshot that is sent.", ge=1)
    generations: int = option(64, "Texts that are written at the same time.", ge=1)
    tokens: int = option(4096, "Tokens of a text that is written, and of its prompt.", ge=1)
    frame: int = option(262_144, "Size of a WebSocket message.", ge=1)
    depth: int = option(16, "Brackets within brackets in a value.", ge=1, le=200)
    handshake: float = option(5.0, "A connection that sends no request for so long is closed.", gt=0)
    ping: float = option(20.0, "Pause between two pings of a WebSocket.", gt=0)
    pong: float = option(40.0, "A WebSocket that answers no ping for so long is closed.", gt=0)
    store: str | None = option(
        None,
        "Folder that keeps the sessions while no server runs, or a Valkey or Redis that several servers share, such as "
        "valkey://host:6379/0. Default: none.",
    )
    checkpoint_every: float = option(1.0, "Pause between two savings of the sessions that changed.", gt=0)
    park: float = option(600.0, "A session without a connection goes from memory to the store after so long.", gt=0)
    keep: float = option(86_400.0, "A session in the store is dropped after so long.", gt=0)
    replay: int = option(
        0, "New weights read so many of the last values of each session again; 0: sessions keep the old weights.", ge=0
    )
    drain: float = option(10.0, "Longest time between SIGTERM and the end.", gt=0)
