"""A line that can fail: passes TLS on, until it is told to lose the next answer."""
import socket
import threading

APPLICATION_DATA = 23  # TLS record type. RFC 5246, 6.2.1


class Relay:
    """Listens on a port of its own. After lose_next_answer() the next answer of the host is swallowed and the line cut."""

    def __init__(self, host_port):
        self.host_port = host_port
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.losing = False
        self.lost = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next_answer(self):
        self.lost.clear()
        self.losing = True

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            host = socket.create_connection(('127.0.0.1', self.host_port))
            asked = threading.Event()
            for source, target, is_answer in ((client, host, False), (host, client, True)):
                threading.Thread(target=self._pass_on, args=(source, target, is_answer, asked), daemon=True).start()

    def _pass_on(self, source, target, is_answer, asked):
        try:
            while record := self._record(source):
                if record[0] == APPLICATION_DATA:
                    if is_answer and self.losing and asked.is_set():
                        self.losing = False
                        self.lost.set()
                        break
                    asked.set()
                target.sendall(record)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def _record(source):
        head = Relay._exactly(source, 5)
        return head and head + Relay._exactly(source, int.from_bytes(head[3:5], 'big'))

    @staticmethod
    def _exactly(source, size):
        data = b''
        while len(data) < size:
            part = source.recv(size - len(data))
            if not part:
                return b''
            data += part
        return data
