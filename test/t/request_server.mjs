// request_server.mjs: a server on loopback that answers as the query says, and notes what it was asked.
//
// Its port is printed; it ends when its standard input does. The first part of a path is a tag, under which requests are
// noted. Members of the query:
//   ms           answer so much later; until: when there was a request of that tag; hang: never
//   code, type, text, header    of the answer (header: name:value, may come several times); its body is JSON that tells what came, unless text is there
//   fails, failure, after    the first so many requests with the same Idempotency-Key get the status `failure` (503), with Retry-After
//   cut          the connection is cut after so many bytes of the answer; cutfirst: for the first so many of a key
//   many         the text comes so many times, as the elements of an array; size: the answer has so many bytes
//   echo         the answer's body is that of the request
//   lean         only key, path and number are kept of them: for tests with many requests
// What it tells, of a tag: /-/notes (a list), /-/count, /-/most (how many were there at once), /-/lean (lines: path, key, times).
// /-/forget forgets a tag. /pages/<type> are lists in pages, /graphql/... answers as GraphQL does. /token?of=<name> gives access tokens
// of OAuth2 (more: body, which wants the client's name there; rotate, which takes a refresh token once; life in s; and all of the above),
// /guarded?of=<name> wants the one that was given last; /revoke?of=<name> makes it worthless.
import http from 'node:http';

const notes = {};
const lean = new Map();
const byKey = {};
const now = {};
const most = {};

const json = (res, value, headers = {}, code = 200) =>
{
	res.writeHead(code, { 'Content-Type': 'application/json', ...headers });
	res.end(JSON.stringify(value));
};

const tell = {
	notes: tag => notes[tag] ?? [],
	count: tag => (notes[tag] ?? []).length,
	most: tag => most[tag] ?? 0,
	forget: tag => { delete notes[tag]; delete most[tag]; return true; },
};

// seven items in pages of three
const items = [1, 2, 3, 4, 5, 6, 7];
const pages = {
	link: (res, q, base) =>
	{
		const p = Number(q.get('p') ?? 1);
		json(res, items.slice((p - 1) * 3, p * 3), p < 3 ? { Link: `<${base}/pages/link?p=${p + 1}>; rel="next", <x>; rel="last"` } : {});
	},
	cursor: (res, q) =>
	{
		const from = Number(q.get('after') ?? 0);
		json(res, { data: { items: items.slice(from, from + 3) }, next: from + 3 < items.length ? String(from + 3) : null });
	},
	page: (res, q) => json(res, { rows: items.slice((Number(q.get('page') ?? 1) - 1) * 3, Number(q.get('page') ?? 1) * 3) }),
	offset: (res, q) => json(res, items.slice(Number(q.get('offset') ?? 0), Number(q.get('offset') ?? 0) + 3)),
	// leads to another host
	away: res => json(res, [1], { Link: '<http://localhost:1/next>; rel="next"' }),
};

const tokens = {};
const oauth = {
	token: (req, res, q, body) =>
	{
		const of = q.get('of');
		const asked = new URLSearchParams(body);
		const basic = Buffer.from((req.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
		const client = q.has('body') ? `${asked.get('client_id')}:${asked.get('client_secret')}` : basic;
		const t = tokens[of] ??= { n: 0, refresh: 'refresh0' };
		if (client !== 'client:hush') return json(res, { error: 'invalid_client' }, {}, 401);
		if (asked.get('grant_type') === 'refresh_token' && asked.get('refresh_token') !== t.refresh) return json(res, { error: 'invalid_grant' }, {}, 400);
		t.access = `access${++t.n}`;
		if (q.has('rotate')) t.refresh = `refresh${t.n}`;
		json(res, { access_token: t.access, token_type: 'Bearer', expires_in: Number(q.get('life') ?? 3600), ...(q.has('rotate') ? { refresh_token: t.refresh } : {}) });
	},
	guarded: (req, res, q) =>
	{
		const good = tokens[q.get('of')]?.access;
		json(res, { good: req.headers.authorization === `Bearer ${good}`, n: tokens[q.get('of')]?.n }, {}, req.headers.authorization === `Bearer ${good}` ? 200 : 401);
	},
	revoke: (req, res, q) => { tokens[q.get('of')].access = null; json(res, true); },
};

function answer(req, res, url, raw, note)
{
	const body = raw.toString();
	const q = url.searchParams;
	const key = req.headers['idempotency-key'];
	const [, tag, sub] = url.pathname.split('/');
	const times = byKey[key] = (byKey[key] ?? 0) + 1;
	if (oauth[tag] && !q.has('code')) return oauth[tag](req, res, q, body);
	if (tag === 'pages') return pages[sub](res, q, `http://${req.headers.host}`);
	if (tag === 'graphql')
	{
		const asked = JSON.parse(body);
		return asked.query.includes('wrong') ? json(res, { data: null, errors: [{ message: 'wrong' }] }) : json(res, { data: { asked } });
	}
	if (times <= Number(q.get('cutfirst') ?? 0)) return req.socket.destroy();
	if (q.has('cut')) { res.writeHead(200, { 'Content-Length': 1000000 }); res.write('x'.repeat(Number(q.get('cut'))), () => req.socket.destroy()); return; }
	const failed = times <= Number(q.get('fails') ?? 0);
	const code = failed ? Number(q.get('failure') ?? 503) : Number(q.get('code') ?? 200);
	const headers = { 'Content-Type': q.get('type') ?? 'application/json' };
	for (const h of q.getAll('header')) headers[h.slice(0, h.indexOf(':'))] = h.slice(h.indexOf(':') + 1);
	if (failed && q.has('after')) headers['Retry-After'] = q.get('after');
	res.writeHead(code, headers);
	if (q.has('many')) return res.end(`[${Array(Number(q.get('many'))).fill(q.get('text')).join()}]`);
	if (q.has('size')) return res.end('x'.repeat(Number(q.get('size'))), () => { if (note) note.ended = 'answered'; });
	res.end(q.has('echo') ? raw : q.get('text') ?? JSON.stringify({ times, method: req.method, target: req.url, headers: req.headers, body }));
	if (note) note.ended = 'answered';
}

const server = http.createServer({ keepAliveTimeout: 60000, maxHeaderSize: 131072 }, (req, res) =>
{
	const url = new URL(req.url, 'http://here');
	const [, tag, what] = url.pathname.split('/');
	const chunks = [];
	req.on('error', () => {});
	res.on('error', () => {});
	if (tag === '-')
	{
		if (what !== 'lean') return json(res, tell[what](url.searchParams.get('tag')));
		res.writeHead(200, { 'Content-Type': 'text/plain' });
		for (const [k, n] of lean) res.write(`${k}\t${n}\n`);
		return res.end();
	}
	now[tag] = (now[tag] ?? 0) + 1;
	most[tag] = Math.max(most[tag] ?? 0, now[tag]);
	const at = Date.now();
	let there = true;
	const leave = () => { if (there) now[tag]--; there = false; };
	res.on('close', leave);
	req.on('data', c => chunks.push(c)).on('end', () =>
	{
		const q = url.searchParams;
		const key = req.headers['idempotency-key'];
		let note = null;
		if (q.has('lean'))
		{
			const k = `${url.pathname}\t${key}`;
			lean.set(k, (lean.get(k) ?? 0) + 1);
		}
		else
		{
			note = { key, at, method: req.method, target: req.url, headers: req.headers, body: Buffer.concat(chunks).toString() };
			(notes[tag] ??= []).push(note);
			res.on('close', () => note.ended ??= 'cut');
		}
		if (q.has('hang')) return;
		const ms = Number(q.get('ms') ?? 0);
		const go = () => { leave(); if (!res.destroyed) answer(req, res, url, Buffer.concat(chunks), note); };
		const wait = () => (notes[q.get('until')] ? go() : setTimeout(wait, 5));
		if (q.has('until')) wait();
		else if (ms > 0) setTimeout(go, ms);
		else go();
	});
});
server.on('clientError', (e, s) => s.destroy());
server.requestTimeout = 0;
server.listen({ port: Number(process.argv[2] ?? 0), host: '127.0.0.1', backlog: 1000 }, () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
