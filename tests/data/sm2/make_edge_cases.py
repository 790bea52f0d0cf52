#!/usr/bin/env python3
"""Writes edge_*.vec beside itself: cases at the edges of SM2 that random tests never reach.

Plain affine arithmetic on Python integers, straight from GB/T 32918-2016; shares nothing with our C++.
Usage: python3 make_edge_cases.py
"""
import hashlib
import pathlib

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
     0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)
D = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8  # GB/T 32918.5-2017, annex A
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21


def add(p, q):
    if p is None:
        return q
    if q is None:
        return p
    if p[0] == q[0] and (p[1] + q[1]) % P == 0:
        return None
    slope = ((3 * p[0] * p[0] + A) * pow(2 * p[1], -1, P) if p == q else
             (q[1] - p[1]) * pow(q[0] - p[0], -1, P))
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def mul(k, p):
    out = None
    while k:
        if k & 1:
            out = add(out, p)
        p = add(p, p)
        k >>= 1
    return out


def neg(p):
    return p[0], P - p[1]


def h(value):
    return '%064X' % value


def root(square):
    y = pow(square, (P + 1) // 4, P)
    return y if y * y % P == square % P else None


def on_curve(x):
    return root(x ** 3 + A * x + B) is not None


def point_at_or_above(x):
    """The first point of the curve with at least this x."""
    while not on_curve(x):
        x += 1
    return x, root(x ** 3 + A * x + B)


def sign(d, e, k):
    r = (e + mul(k, G)[0]) % N
    s = pow(1 + d, -1, N) * (k - r * d) % N
    assert r and (r + k) % N and s
    return h(r) + h(s)


def verify_cases():
    public = mul(D, G)
    key = h(public[0]) + h(public[1])
    e = 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
    good = sign(D, e, K)
    r, s = int(good[:64], 16), int(good[64:], 16)

    def case(why, outcome, signature, key=key, e=e):
        return [('Why', why), ('Key', key), ('E', h(e)), ('Signature', signature), ('Outcome', outcome)]

    yield case('the standard\'s example', 'ok', good)
    yield case('r is zero', 'signature_out_of_range', h(0) + h(s))
    yield case('s is zero', 'signature_out_of_range', h(r) + h(0))
    yield case('both are zero', 'signature_out_of_range', h(0) + h(0))
    yield case('r is n', 'signature_out_of_range', h(N) + h(s))
    yield case('s is n', 'signature_out_of_range', h(r) + h(N))
    yield case('r is n + 1', 'signature_out_of_range', h(N + 1) + h(s))
    yield case('r is all ones', 'signature_out_of_range', h(2 ** 256 - 1) + h(s))
    yield case('s is all ones', 'signature_out_of_range', h(r) + h(2 ** 256 - 1))
    yield case('r + s = n', 'signature_sum_is_zero', h(r) + h(N - r))
    yield case('r = 1 and s = n - 1', 'signature_sum_is_zero', h(1) + h(N - 1))
    yield case('r and s exchanged', 'signature_mismatch', h(s) + h(r))
    yield case('s is negated', 'signature_mismatch', h(r) + h(N - s))
    yield case('r is one more', 'signature_mismatch', h(r + 1) + h(s))
    yield case('s is one more', 'signature_mismatch', h(r) + h(s + 1))
    yield case('the first bit of r', 'signature_mismatch', h(r ^ 1 << 255) + h(s))
    yield case('the last bit of s', 'signature_mismatch', h(r) + h(s ^ 1))
    yield case('another digest', 'signature_mismatch', good, e=e ^ 1)
    yield case('another key', 'signature_mismatch', good, key=h(G[0]) + h(G[1]))
    yield case('the opposite key', 'signature_mismatch', good, key=h(public[0]) + h(P - public[1]))
    yield case('no byte is right', 'signature_mismatch', h(1) + h(1))
    yield case('a wrong r = s = n - 1', 'signature_mismatch', h(N - 1) + h(N - 1))
    yield case('digest not below n', 'ok', sign(D, 2 ** 256 - 1, K), e=2 ** 256 - 1)
    yield case('digest is n', 'ok', sign(D, N, K), e=N)
    yield case('digest is zero', 'ok', sign(D, 0, K), e=0)

    def constructed(why, outcome, s, t, point, key_point):
        """A signature that meets [s]G + [t]P = point, by choosing the digest."""
        r = (t - s) % N
        x = point[0] if point else 0
        assert r and s and t and (point or outcome != 'ok')
        return case(why, outcome, h(r) + h(s), key=h(key_point[0]) + h(key_point[1]), e=(r - x) % N)

    def solved(why, point, s, t):
        return constructed(why, 'ok', s, t, point, mul(pow(t, -1, N), add(point, neg(mul(s, G)))))

    high = point_at_or_above(N)
    yield solved('x1 lies between n and p', high, 0x1234567, K)
    yield solved('x1 lies between n and p, and y is the other', neg(high), K, D)
    yield solved('x1 is the largest there is', point_at_or_above(P - 20), K, D + 5)
    yield solved('x1 is the smallest there is', point_at_or_above(0), K, D)
    yield solved('x1 = 0 is on the curve', (0, root(B)), 3, D)
    wrong = dict(solved('x1 between n and p, digest one off', high, 7, K))
    wrong.update(E=h((int(wrong['E'], 16) + 1) % N), Outcome='signature_mismatch')
    yield list(wrong.items())
    x = next(x for x in range(1, P - N) if on_curve(x) and not on_curve(x + N))
    yield solved('x1 small, and x1 + n is no point\'s', point_at_or_above(x), 9, K)
    x = next(x for x in range(1, P - N) if on_curve(x) and on_curve(x + N))
    yield solved('x1 small, and x1 + n is a point\'s too', point_at_or_above(x), 9, K)

    for why, s, t, key_d in (
            ('[s]G = [t]P: the two halves are equal points', 12345, 12345 * pow(D, -1, N) % N, D),
            ('P = G, small s and t', 1, 2, 1),
            ('P = G, s = t + 1', 6, 5, 1),
            ('P = -G', 7, 3, N - 1),
            ('P = [2]G', 2, 1, 2),
            ('P = [2^128]G', 2 ** 128, 2, 2 ** 128 % N),
            ('t = 1', D, 1, D),
            ('t = n - 1', D + 1, N - 1, D),
            ('s = 1', 1, K, D),
            ('s = n - 1', N - 1, K, D),
            ('s = n - 1 and t = n - 2', N - 1, N - 2, D),
            ('s is one bit', 1 << 255, K, D),
            ('s and t are alternating bits', int('A' * 64, 16), int('5' * 64, 16), D),
            ('s and t are long runs of ones', 2 ** 255 - 1, 2 ** 254 - 1, D)):
        yield constructed(why, 'ok', s % N, t % N, mul((s + t * key_d) % N, G), mul(key_d, G))
    for digit in range(1, 64, 7):  # every position of a six-bit window, and the table's borders
        s, t = digit << (6 * (digit % 42)), (64 - digit) << (5 * (digit % 50))
        if (t - s) % N:
            yield constructed('windows of %d' % digit, 'ok', s, t, mul((s + t * D) % N, G), public)
    for key_d in (1, N - 1, D):  # [s]G + [t]P is the point at infinity: no x at all
        t = 0x77777777
        s = -t * key_d % N
        if (t - s) % N:
            yield constructed('the sum is the point at infinity', 'signature_mismatch', s, t, None,
                              mul(key_d, G))


def public_key_cases():
    x, y = mul(D, G)

    def case(why, outcome, key):
        return [('Why', why), ('Key', key), ('Outcome', outcome)]

    yield case('the standard\'s example', 'ok', h(x) + h(y))
    yield case('the opposite point', 'ok', h(x) + h(P - y))
    yield case('the generator', 'ok', h(G[0]) + h(G[1]))
    yield case('x = 0', 'ok', h(0) + h(root(B)))
    big = point_at_or_above(P - 20)
    yield case('x just below p', 'ok', h(big[0]) + h(big[1]))
    yield case('empty', 'wrong_length', '')
    yield case('a byte missing', 'wrong_length', (h(x) + h(y))[:-2])
    yield case('a byte more', 'wrong_length', h(x) + h(y) + '00')
    yield case('with the byte 04', 'wrong_length', '04' + h(x) + h(y))
    yield case('compressed', 'wrong_length', '02' + h(x))
    yield case('x is p', 'coordinate_out_of_range', h(P) + h(y))
    yield case('y is p', 'coordinate_out_of_range', h(x) + h(P))
    small = point_at_or_above(0)
    yield case('x + p, for a small x', 'coordinate_out_of_range', h(small[0] + P) + h(small[1]))
    yield case('all ones', 'coordinate_out_of_range', 'FF' * 64)
    yield case('zero', 'point_not_on_curve', '00' * 64)
    yield case('x and y exchanged', 'point_not_on_curve', h(y) + h(x))
    yield case('y is one more', 'point_not_on_curve', h(x) + h(y + 1))
    yield case('x is one more', 'point_not_on_curve', h(x + 1) + h(y))
    yield case('on the curve with b = 0 (order not prime)', 'point_not_on_curve', h(0) + h(0))
    for b in range(1, 4):
        x = next(x for x in range(5, 100) if root(x ** 3 + A * x + b) is not None)
        yield case('on the curve with b = %d' % b, 'point_not_on_curve', h(x) + h(root(x ** 3 + A * x + b)))
    # The recommended test curve of the 2010 draft: its generator is not a point here.
    yield case('the generator of the draft\'s curve', 'point_not_on_curve',
               '421DEBD61B62EAB6746434EBC3CC315E32220B3BADD50BDC4C4E6C147FEDD43D'
               '0680512BCBB42C07D47349D2153B70C4E5D7FDFCBFA36EA1A85841B9E46E09A2')


def private_key_cases():
    def case(why, outcome, d):
        public = mul(d, G) if outcome == 'ok' else None
        return [('Why', why), ('D', h(d)), ('Outcome', outcome),
                ('Key', h(public[0]) + h(public[1]) if public else '')]

    yield case('the standard\'s example', 'ok', D)
    yield case('d = 1', 'ok', 1)
    yield case('d = 2', 'ok', 2)
    yield case('d = n - 2, the largest', 'ok', N - 2)
    yield case('d = 2^128', 'ok', 2 ** 128)
    yield case('d = 2^128 - 1', 'ok', 2 ** 128 - 1)
    yield case('d = 2^255', 'ok', 2 ** 255)
    yield case('d = (n + 1) / 2', 'ok', (N + 1) // 2)
    yield case('d = 0', 'private_key_out_of_range', 0)
    yield case('d = n - 1: 1 + d has no inverse', 'private_key_out_of_range', N - 1)
    yield case('d = n', 'private_key_out_of_range', N)
    yield case('d = n + 1', 'private_key_out_of_range', N + 1)
    yield case('all ones', 'private_key_out_of_range', 2 ** 256 - 1)


def sign_cases():
    """K is a list: what the random source answers. All but the last are unusable."""
    def case(why, d, e, ks):
        return [('Why', why), ('D', h(d)), ('E', h(e)), ('K', ' '.join(map(h, ks))),
                ('Signature', sign(d, e, ks[-1]))]

    x = mul(K, G)[0]
    other = 0x6CB28D99385C175C94F94E934817663FC176D925DD72B727260DBAAE1FB2F96F
    yield case('k = 0, n, n + 1, all ones: out of range', D, 5, [0, N, N + 1, 2 ** 256 - 1, K])
    yield case('k gives r = 0', D, -x % N, [K, other])
    yield case('k gives r + k = n', D, (N - K - x) % N, [K, other])
    yield case('k gives s = 0', D, (K * pow(D, -1, N) - x) % N, [K, other])
    yield case('k = 1', D, 5, [1])
    yield case('k = n - 1', D, 5, [N - 1])
    yield case('k = 2^128', D, 5, [2 ** 128])
    yield case('k = 2^128 - 1', D, 5, [2 ** 128 - 1])
    yield case('k = 2^255', D, 5, [2 ** 255])
    yield case('k of long runs', D, 5, [int('FFFFFFFE' + '00000000FFFFFFFF' * 3 + '00000001', 16)])
    yield case('d = 1, k = 1', 1, 5, [1])
    yield case('d = n - 2', N - 2, 5, [K])
    yield case('digest all ones', D, 2 ** 256 - 1, [K])
    for bit in range(0, 252, 21):
        yield case('k around bit %d' % bit, D, 5, [(1 << bit) + (33 << bit)])


def encrypt(d, k, message):
    """The key stream, and C1 | C3 | C2. GB/T 32918.4-2016, 6.1; SM3 is OpenSSL's."""
    def sm3(*parts):
        return hashlib.new('sm3', b''.join(parts)).digest()

    c1, shared = ([v.to_bytes(32, 'big') for v in mul(m, G)] for m in (k, k * d % N))
    stream = sm3(*shared, (1).to_bytes(4, 'big'))[:len(message)]
    c2 = bytes(a ^ b for a, b in zip(message, stream))
    return stream, b'\x04' + b''.join(c1) + sm3(shared[0], message, shared[1]) + c2


def key_stream_cases():
    d, message, first, second = 1, b'M', 351, 2  # 351 is the least k with one byte of zeros
    stream, zero = encrypt(d, first, message)
    assert stream == b'\0' and all(encrypt(d, k, message)[0] != b'\0' for k in range(1, first))
    yield [('Why', 'k = 351 gives a key stream of zeros, k = 2 does not'), ('D', '%064X' % d),
           ('K', '%064X %064X' % (first, second)), ('In', message.hex().upper()),
           ('Out', encrypt(d, second, message)[1].hex().upper()), ('Zero', zero.hex().upper())]


def write(name, title, cases):
    lines = ['# ' + title,
             '# Made by make_edge_cases.py: affine arithmetic on integers after GB/T 32918-2016.']
    for case in cases:
        lines += [''] + ['%s = %s' % (key, value) for key, value in case]
    path = pathlib.Path(__file__).with_name(name)
    path.write_text('\n'.join(line.rstrip() for line in lines) + '\n')


write('edge_verify.vec', 'SM2 verification of a given digest. GB/T 32918.2-2016, 7.1.', verify_cases())
write('edge_public_key.vec', 'SM2 public keys. GB/T 32918.1-2016, 6.2.', public_key_cases())
write('edge_private_key.vec', 'SM2 private keys. GB/T 32918.1-2016, 6.1.', private_key_cases())
write('edge_sign.vec', 'SM2 signatures of a given digest with given k. GB/T 32918.2-2016, 6.1.', sign_cases())
write('edge_key_stream.vec', 'SM2 encryption where the key stream is zero. GB/T 32918.4-2016, 6.1 A5, 7.1 B4.',
      key_stream_cases())
