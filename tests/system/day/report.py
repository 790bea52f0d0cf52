"""The page a day leaves behind: one self-contained HTML file from the day's figures.

write(path, day) takes what two_city_day.py collected; `day` is also written as JSON beside it. Keys used here:
  title, seed, date, rehearsal, cities [{name, code, participant}], operators [{name, city, participant}],
  summary (as in summary.json), flows [{from, to, amount_fen, count}], batches [{operator, device, sequence, records, outcomes}],
  trace [{step, where, text, data}], trials [{name, expected, seen, ok}], cards {count, kinds {name: count}}
"""
import html
import json

STYLE = """
:root{--ink:#1b2430;--soft:#5b6776;--line:#d8dee6;--paper:#fbfcfd;--card:#fff;--good:#1a7f4b;--bad:#b3261e;--a:#1f5fa8;--b:#b5651d}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b6;--line:#323c48;--paper:#12171d;--card:#1a2129;--good:#4cc38a;--bad:#ff8a80;--a:#7ab3f0;--b:#e0a060}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,"Noto Sans SC",sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}h1{font-size:1.9rem;margin:0 0 4px}h2{font-size:1.2rem;margin:40px 0 12px}
p.lead{color:var(--soft);margin:0 0 24px}.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}.tile b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:.88rem}.good{color:var(--good)}.bad{color:var(--bad)}
table{border-collapse:collapse;width:100%;font-size:.94rem}th{text-align:left;color:var(--soft);font-weight:500;border-bottom:1px solid var(--line);padding:6px 10px 6px 0}
td{border-bottom:1px solid var(--line);padding:7px 10px 7px 0;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.bar{height:8px;border-radius:4px;background:var(--a);display:inline-block;vertical-align:middle}.wrap{overflow-x:auto}
ol.trace{list-style:none;padding:0;margin:0;border-left:2px solid var(--line)}ol.trace li{padding:0 0 16px 20px;position:relative}
ol.trace li::before{content:"";position:absolute;left:-7px;top:7px;width:12px;height:12px;border-radius:50%;background:var(--a)}
ol.trace .where{color:var(--soft);font-size:.86rem}code{font:.84rem/1.5 ui-monospace,monospace;overflow-wrap:anywhere;color:var(--soft)}
svg{width:100%;height:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}svg text{fill:var(--ink);font:15px system-ui,"Noto Sans SC",sans-serif}
svg .soft{fill:var(--soft);font-size:13px}svg text{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}footer{color:var(--soft);font-size:.86rem;margin-top:48px}
"""


def yuan(fen):
    """Whole fen as yuan, by integers only."""
    sign = '-' if fen < 0 else ''
    return f'{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}'


def text(value):
    return html.escape(str(value))


def table(heads, rows, numbers=()):
    def row(cells, tag):
        return '<tr>' + ''.join(f'<{tag}{" class=n" if i in numbers else ""}>{cell}</{tag}>' for i, cell in enumerate(cells)) + '</tr>'
    return f'<div class=wrap><table>{row(heads, "th")}{"".join(row(r, "td") for r in rows)}</table></div>'


def tiles(day):
    summary, conservation = day['summary'], day['summary']['conservation']
    balanced = ('<b class=good>holds</b>' if conservation['ok'] else '<b class=bad>broken</b>') + '<span>conservation, card by card</span>'
    taps = summary['taps']
    accepted = sum(count for name, count in summary['outcomes'].items() if name.startswith('accepted'))
    shown = [(balanced, None), (day['cards']['count'], 'cards issued and loaded'), (taps['count'], 'taps through pcscd'),
             (f"{taps['p50_ms']} / {taps['p99_ms']} ms", 'tap, median / 99th percentile'),
             (f"{accepted} of {sum(summary['outcomes'].values())}", 'records accepted'),
             (f"{yuan(conservation['loaded_fen'])}", 'yuan loaded')]
    return '<div class=tiles>' + ''.join(f'<div class=tile>{value if label is None else f"<b>{text(value)}</b><span>{text(label)}</span>"}</div>'
                                         for value, label in shown) + '</div>'


def box(x, y, width, title, lines, colour):
    body = ''.join(f'<text class=soft x="{x + width / 2}" y="{y + 50 + 20 * i}" text-anchor="middle">{text(line)}</text>' for i, line in enumerate(lines))
    return (f'<rect x="{x}" y="{y}" width="{width}" height="{44 + 22 * len(lines)}" rx="10" fill="none" stroke="var(--{colour})" stroke-width="2"/>'
            f'<text x="{x + width / 2}" y="{y + 28}" text-anchor="middle" font-weight="600">{text(title)}</text>{body}')


def arrow(x1, y1, x2, y2, label, colour):
    return (f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="var(--{colour})" stroke-width="2.5" marker-end="url(#head-{colour})"/>'
            f'<text x="{(x1 + x2) / 2}" y="{(y1 + y2) / 2 - 8}" text-anchor="middle">{text(label)}</text>')


def settlement_picture(day):
    """Two cities side by side, their operators below: who pays whom, as the settlement lines say."""
    places, parts = {}, []

    def place(participant, name, x, y, width, colour):
        places[participant] = (x, y, width, colour)
        parts.append(box(x, y, width, name, [f"position {yuan(day['summary']['positions'].get(participant, 0))}"], colour))
    for i, city in enumerate(day['cities']):
        left, colour = 30 + i * 520, 'ab'[i % 2]
        place(city['participant'], f"{city['name']} clearing house", left + 80, 40, 250, colour)
        for k, operator in enumerate(o for o in day['operators'] if o['city'] == city['code']):
            place(operator['participant'], operator['name'], left + k * 215, 240, 195, colour)
    for line in day['summary']['settlement']:
        (x1, y1, w1, colour), (x2, y2, w2, _) = places[line['from']], places[line['to']]
        label = yuan(line['amount_fen'])
        if y1 == y2:
            parts.append(arrow(x1 + w1 if x1 < x2 else x1, y1 + 33, x2 if x1 < x2 else x2 + w2, y2 + 33, label, colour))
        else:
            start = x1 + w1 / 2 + (50 if x2 + w2 / 2 > x1 + w1 / 2 else -50)
            parts.append(arrow(start, y1 + 68, x2 + w2 / 2, y2 - 4, label, colour))
    heads = ''.join(f'<marker id="head-{c}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="var(--{c})"/></marker>' for c in 'ab')
    return f'<svg viewBox="0 0 990 340" role="img" aria-label="Settlement between cities and operators"><defs>{heads}</defs>{"".join(parts)}</svg>'


def flow_picture(day):
    """Whose cards paid which operator: ribbons as wide as the money, out of the operators' result files."""
    names = {c['participant']: f"cards of {c['name']}" for c in day['cities']} | {o['participant']: o['name'] for o in day['operators']}
    colours = {c['participant']: 'ab'[i % 2] for i, c in enumerate(day['cities'])}
    total = max(1, sum(f['amount_fen'] for f in day['flows']))
    height, gap, parts = 260, 26, []

    def stack(participants, key):
        """Where each participant's bar begins, and how high it is."""
        at, out = 30.0, {}
        for who in participants:
            size = sum(f['amount_fen'] for f in day['flows'] if f[key] == who) * height / total
            out[who] = [at, size, at]
            at += size + gap
        return out
    left = stack([c['participant'] for c in day['cities']], 'from')
    right = stack([o['participant'] for o in day['operators']], 'to')
    for flow in day['flows']:
        a, b = left[flow['from']], right[flow['to']]
        size = flow['amount_fen'] * height / total
        y1, y2 = a[2] + size / 2, b[2] + size / 2
        a[2], b[2] = a[2] + size, b[2] + size
        parts.append(f'<path d="M230 {y1:.1f}C480 {y1:.1f} 480 {y2:.1f} 730 {y2:.1f}" fill="none" stroke="var(--{colours[flow["from"]]})" stroke-opacity=".45" stroke-width="{max(1.0, size):.1f}">'
                     f'<title>{text(names[flow["from"]])} to {text(names[flow["to"]])}: {yuan(flow["amount_fen"])} yuan, {flow["count"]} trips</title></path>')
    for side, x, anchor, label in ((left, 222, 'end', 210), (right, 730, 'start', 750)):
        for who, (y, size, _) in side.items():
            amount = sum(f['amount_fen'] for f in day['flows'] if who in (f['from'], f['to']))
            parts.append(f'<rect x="{x}" y="{y:.1f}" width="8" height="{max(2.0, size):.1f}" fill="var(--{colours.get(who, "ink")})"/>'
                         f'<text x="{label}" y="{y + size / 2:.1f}" text-anchor="{anchor}">{text(names[who])}</text>'
                         f'<text class=soft x="{label}" y="{y + size / 2 + 17:.1f}" text-anchor="{anchor}">{yuan(amount)}</text>')
    return f'<svg viewBox="0 0 990 {height + 4 * gap + 20}" role="img" aria-label="Whose cards paid which operator">{"".join(parts)}</svg>'


def outcomes(day):
    counts = sorted(day['summary']['outcomes'].items(), key=lambda item: -item[1])
    most = max([count for _, count in counts], default=1)
    return table(['outcome', 'records', ''], [[f'<code>{text(name)}</code>', count, f'<span class=bar style="width:{max(4, 300 * count // most)}px"></span>']
                                              for name, count in counts], numbers=(1,))


def conservation(day):
    c = day['summary']['conservation']
    names = [('loaded_fen', 'loaded'), ('on_cards_fen', 'on cards (read from the cards)'), ('spent_fen', 'spent (from the ledgers)'),
             ('in_transit_fen', 'in transit'), ('disputed_fen', 'in dispute'), ('returned_fen', 'returned')]
    return table(['', 'yuan'], [[text(label), yuan(c[key])] for key, label in names], numbers=(1,))


def page(day):
    names = {c['participant']: f"{c['name']} ({c['participant']})" for c in day['cities']} | {o['participant']: f"{o['name']} ({o['participant']})" for o in day['operators']}
    positions = [[text(names.get(p, p)), yuan(fen)] for p, fen in sorted(day['summary']['positions'].items())]
    settlement = [[text(names.get(l['from'], l['from'])), text(names.get(l['to'], l['to'])), yuan(l['amount_fen'])] for l in day['summary']['settlement']]
    trials = [[text(t['name']), f"<code>{text(t['expected'])}</code>", f"<code>{text(t['seen'])}</code>",
               '<span class=good>right</span>' if t['ok'] else '<span class=bad>wrong</span>'] for t in day['trials']]
    trace = ''.join(f"<li><b>{text(s['step'])}</b> <span class=where>{text(s['where'])}</span><br>{text(s['text'])}<br><code>{text(s.get('data', ''))}</code></li>" for s in day['trace'])
    batches = [[text(b['operator']), text(b['device']), b['sequence'], b['records'], text(', '.join(f'{n} {c}' for n, c in sorted(b['outcomes'].items())))] for b in day['batches']]
    mark = 'a rehearsal with throw-away keys' if day['rehearsal'] else 'live'
    return f"""<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">
<title>{text(day['title'])}</title><style>{STYLE}</style><main>
<h1>{text(day['title'])}</h1><p class=lead>{text(day['date'])} · seed {text(day['seed'])} · {mark} · amounts in yuan</p>
{tiles(day)}<h2>Whose cards paid which operator</h2>{flow_picture(day)}<h2>Who pays whom</h2>{settlement_picture(day)}<h2>Settlement lines</h2>{table(['from', 'to', 'yuan'], settlement, (2,))}
<h2>Positions</h2>{table(['participant', 'yuan'], positions, (1,))}<h2>Where the money is</h2>{conservation(day)}
<h2>Every record has one outcome</h2>{outcomes(day)}<h2>What was tried against the system</h2>{table(['trial', 'must be', 'was', ''], trials)}
<h2>One tap, from the card's bytes to the settlement line</h2><ol class=trace>{trace}</ol>
<h2>Batches</h2>{table(['operator', 'gate', 'no.', 'records', 'outcomes'], batches, (2, 3))}
<footer>Made by ./run.sh from the programs' own output; the figures stand in summary.json beside this page.</footer></main></html>"""


def write(path, day):
    path.write_text(page(day), encoding='utf8')
    path.with_name('day.json').write_text(json.dumps(day, indent=1, ensure_ascii=False), encoding='utf8')
