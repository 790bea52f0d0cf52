"""The configuration files of the day's programs."""
import nation

HERE = '127.0.0.1'


def host(place, city, others):
    peers = ''.join(f'''[[peer]]
deployment = "{place(f'host-{other.code}')}/deployment.json"
address = "{HERE}"
port = {other.host_port}
''' for other in others)
    return f'''deployment = "{place(f'host-{city.code}')}"
store = "{place(f'clearing-{city.code}.db')}"
[listen]
address = "{HERE}"
port = {city.host_port}
{peers}'''


def gate(place, gate_, reader, sam_reader, port):
    accepted = ', '.join(f'"{code}"' for code in gate_.accepts)
    return f'''deployment = "{place(gate_.name)}"
journal = "{place(gate_.name)}.journal"
fares = "{nation.FARES}"
mode = "{gate_.mode}"
line = {gate_.line}
station = {gate_.station}
industry = 1
operator_code = {gate_.operator.digit}
accepted_cities = [{accepted}]
[reader]
card = "{reader}"
sam = "{sam_reader}"
[host]
address = "{HERE}"
port = {port}
'''


def kiosk_table(place, kiosk):
    return f'''deployment = "{place(kiosk.name)}"
journal = "{place(kiosk.name)}.journal"
terminal = "{kiosk.terminal}"
'''


def kiosk(place, kiosk_, reader, port):
    return f'''{kiosk_table(place, kiosk_)}[reader]
card = "{reader}"
[host]
address = "{HERE}"
port = {port}
'''


def desk(place, city, kiosk_, reader, host_port):
    return f'''deployment = "{place(f'desk-{city.code}')}"
[reader]
card = "{reader}"
[issuer]
address = "{HERE}"
port = {city.issuing_port}
[kiosk]
{kiosk_table(place, kiosk_)}[kiosk.host]
address = "{HERE}"
port = {host_port}
'''
