"""Keeps the chips in these readers powered, as long as they are in: pcscd takes power away from a chip that nobody is
connected to, after five seconds, and an open transaction with it. Connects shared, sends nothing.

Usage: hold_power.py READER...
"""
import sys

from smartcard import scard

_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
states = [(name, scard.SCARD_STATE_UNAWARE) for name in sys.argv[1:]]
held = {}
while True:
    result, news = scard.SCardGetStatusChange(context, scard.INFINITE, states)
    if result != scard.SCARD_S_SUCCESS:
        break
    for name, state, _ in news:
        if name in held and not state & scard.SCARD_STATE_PRESENT:
            scard.SCardDisconnect(held.pop(name), scard.SCARD_LEAVE_CARD)
        elif name not in held and state & scard.SCARD_STATE_PRESENT and not state & scard.SCARD_STATE_MUTE:
            result, card, _ = scard.SCardConnect(context, name, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1)
            if result == scard.SCARD_S_SUCCESS:
                held[name] = card
    states = [(name, state) for name, state, _ in news]
