"""A faster line between JupyterLab and its kernels: `make lab` starts the server with it. Nothing else needs it."""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class WithoutDelay(ZMQChannelsWebsocketConnection):
    """The server's usual connection, which sends small messages at once.

    A slider's picture is the second of two small messages. Left to itself, TCP holds the second one back until the
    browser has confirmed the first, which takes it 40 ms (Nagle's algorithm meets delayed acknowledgements).
    """

    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()
