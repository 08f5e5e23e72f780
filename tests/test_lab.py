"""The faster line between JupyterLab and its kernels: small messages are sent at once, and all else is the server's."""

from types import SimpleNamespace

from distill_edu.pages.shared.lab import WithoutDelay, ZMQChannelsWebsocketConnection


def test_a_connection_has_no_delay_and_is_else_the_servers(monkeypatch):
    said = []
    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", lambda self: "connected")
    connection = WithoutDelay.__new__(WithoutDelay)
    connection.__dict__["_trait_values"] = {"websocket_handler": SimpleNamespace(set_nodelay=said.append)}
    assert connection.connect() == "connected" and said == [True]
