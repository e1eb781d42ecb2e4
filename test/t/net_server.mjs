// net_server.mjs <folder with certificates>: servers on loopback that behave badly on purpose; the path says how.
//
// Ports are printed as one line of JSON; it ends when its standard input does. Plain HTTP and TLS variants share one
// handler, which speaks HTTP by hand, because real servers refuse to send most of this. x-connection in an answer
// counts connections, /opened?of=name,name gives how many there were, /mails what the mail sink got, /seen the requests by path.
import net from 'node:net';
import tls from 'node:tls';
import http2 from 'node:http2';
import fs from 'node:fs';
import zlib from 'node:zlib';
import crypto from 'node:crypto';

const folder = process.argv[2];
const file = name => fs.readFileSync(`${folder}/${name}`);
let connections = 0;
const opened = {};
const mails = [];
const seen = {};

const answer = (s, body, more = '', status = '200 OK') =>
	s.write(`HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nX-Connection: ${s.number}\r\n${more}\r\n${body}`);

// Writes what next() gives until it gives null or the other side has enough.
function pour(s, next)
{
	const go = () =>
	{
		for (;;)
		{
			if (s.destroyed) return;
			const chunk = next();
			if (chunk === null) return s.end();
			if (!s.write(chunk)) return s.once('drain', go);
		}
	};
	go();
}
const block = Buffer.alloc(65536, 'x');
const chunked = b => Buffer.concat([Buffer.from(b.length.toString(16) + '\r\n'), b, Buffer.from('\r\n')]);
// 512 MB of zeros in half a megabyte, and that again
let bombs;
const bomb = twice =>
{
	if (!bombs)
	{
		const part = zlib.gzipSync(Buffer.alloc(64 << 20));
		bombs = [Buffer.concat(Array(8).fill(part))];
		bombs.push(zlib.gzipSync(Buffer.concat(Array(40).fill(bombs[0]))));
	}
	return bombs[twice ? 1 : 0];
};
const send = (s, body, more) =>
{
	s.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n`);
	s.write(body);
};

const paths = {
	'/ok': s => answer(s, 'ok'),
	'/opened': (s, r) => answer(s, String(r.query.get('of').split(',').reduce((n, name) => n + opened[name], 0))),
	'/seen': (s, r) => answer(s, String(seen[r.query.get('path')] ?? 0)),
	'/mails': s => answer(s, JSON.stringify(mails)),
	'/echo': (s, r) => answer(s, JSON.stringify({ method: r.method, target: r.target, headers: r.headers, body: r.body.toString('latin1') }), 'Set-Cookie: seen=1; Path=/\r\nContent-Type: application/json\r\n'),
	'/status': (s, r) => answer(s, 'status', r.query.get('more') ?? '', r.query.get('code') + ' Whatever'),
	'/redirect': (s, r) => answer(s, 'moved', `Location: ${r.query.get('to')}\r\n`, (r.query.get('code') ?? '302') + ' Moved'),
	'/round': s => answer(s, 'moved', 'Location: /round\r\n', '302 Moved'),
	'/redirect-large': s => { s.write('HTTP/1.1 302 Moved\r\nLocation: /ok\r\nTransfer-Encoding: chunked\r\n\r\n'); pour(s, () => chunked(block)); },
	'/big': (s, r) => { let n = Number(r.query.get('n')); s.write(`HTTP/1.1 200 OK\r\nContent-Length: ${n}\r\nX-Connection: ${s.number}\r\n\r\n`); while (n > 0) { s.write(block.subarray(0, Math.min(n, block.length))); n -= block.length; } },
	'/hold': (s, r) => { let n = Number(r.query.get('n')); s.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 * n}\r\n\r\n`); while (n > 0) { s.write(block.subarray(0, Math.min(n, block.length))); n -= block.length; } },
	'/drip': s => { s.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'); const t = setInterval(() => s.destroyed ? clearInterval(t) : s.write('x'), 50); },
	'/slow-head': s => { s.write('HTTP/1.1 200 OK\r\n'); const t = setInterval(() => s.destroyed ? clearInterval(t) : s.write('X-A: b\r\n'), 50); },
	'/late': (s, r) => setTimeout(() => s.destroyed || answer(s, 'late'), Number(r.query.get('ms'))),
	'/hang': () => {},
	'/hang-mid': s => s.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'),
	'/endless': s => { s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'); pour(s, () => chunked(block)); },
	'/endless-bare': s => { s.write('HTTP/1.1 200 OK\r\n\r\n'); pour(s, () => block); },
	'/ten-gigabytes': s => { s.write('HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n'); let n = 163840; pour(s, () => n-- > 0 ? block : null); },
	'/bomb': s => send(s, bomb(false), 'Content-Encoding: gzip\r\n'),
	'/bomb-twice': s => send(s, bomb(true), 'Content-Encoding: gzip, gzip\r\n'),
	'/gzip': s => send(s, zlib.gzipSync('unzipped'), 'Content-Encoding: gzip\r\n'),
	'/deflate': s => send(s, zlib.deflateSync('inflated'), 'Content-Encoding: deflate\r\n'),
	'/bad-gzip': s => send(s, Buffer.from('this is no gzip at all'), 'Content-Encoding: gzip\r\n'),
	'/cut-gzip': s => send(s, zlib.gzipSync(crypto.randomBytes(1000)).subarray(0, 500), 'Content-Encoding: gzip\r\n'),
	'/brotli': s => send(s, zlib.brotliCompressSync('brotli'), 'Content-Encoding: br\r\n'),
	'/zstd': s => send(s, Buffer.from('28b52ffd0458690000', 'hex'), 'Content-Encoding: zstd\r\n'),
	'/te-gzip': s => { s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'); s.end(chunked(zlib.gzipSync('x')) + '0\r\n\r\n'); },
	'/header-large': s => s.write(`HTTP/1.1 200 OK\r\nX-Large: ${'y'.repeat(90000)}\r\nContent-Length: 2\r\n\r\nok`),
	'/header-huge': s => s.write(`HTTP/1.1 200 OK\r\nX-Large: ${'y'.repeat(1 << 20)}\r\nContent-Length: 2\r\n\r\nok`),
	'/headers-many': s => s.write('HTTP/1.1 200 OK\r\n' + 'A: b\r\n'.repeat(1000) + 'Content-Length: 2\r\n\r\nok'),
	'/headers-endless': s => { s.write('HTTP/1.1 200 OK\r\n'); pour(s, () => 'A: b\r\n'.repeat(1000)); },
	'/trailers-endless': s => { s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n'); pour(s, () => 'A: b\r\n'.repeat(1000)); },
	'/trailer': s => s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: yes\r\n\r\n'),
	'/trailer-status': s => s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nHTTP/1.1 302 No\r\nLocation: /ok\r\n\r\n'),
	'/continues': s => pour(s, () => 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)),
	'/early': s => { s.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'); answer(s, 'early'); },
	'/fold': s => s.write('HTTP/1.1 200 OK\r\nX-Fold: a\r\n  b\r\nx-EMPTY:\r\nX-Two: 1\r\nX-Two: 2\r\nContent-Length: 2\r\n\r\nok'),
	'/nul-header': s => s.write('HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 2\r\n\r\nok'),
	'/latin-header': s => s.write(Buffer.from('HTTP/1.1 200 OK\r\nX-Latin: \xe4\xff\r\nContent-Length: 2\r\n\r\nok', 'latin1')),
	'/reset': s => s.resetAndDestroy(),
	'/reset-mid': s => { s.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf', () => setTimeout(() => s.resetAndDestroy(), 50)); },
	'/close': s => s.end(),
	'/close-after-status': s => s.end('HTTP/1.1 200 OK\r\n'),
	'/half': s => s.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'),
	'/half-chunk': s => s.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf'),
	'/long': s => s.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlonger than five'),
	'/until-close': s => s.end('HTTP/1.0 200 OK\r\n\r\nuntil the end'),
	'/bad-chunk': s => s.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n'),
	'/negative': s => s.end('HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabcde'),
	'/two-lengths': s => s.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 3\r\n\r\nabcde'),
	'/garbage': s => s.end('\x01\x02\x03 this is no HTTP\r\n\r\n'),
	'/no-status': s => s.end('just text'),
	'/status-bad': s => s.end('HTTP/1.1 abc Nope\r\nContent-Length: 0\r\n\r\n'),
	'/once': s => { answer(s, 'once'); s.closing = true; },
	'/no-body': s => answer(s, '', '', '204 No Content'),
	'/digest': (s, r) =>
	{
		const given = r.headers.authorization;
		if (!given) return answer(s, 'who are you?', 'WWW-Authenticate: Digest realm="r", nonce="n1", qop="auth", algorithm=MD5\r\n', '401 Unauthorized');
		const f = Object.fromEntries([...given.matchAll(/(\w+)="?([^",]+)"?/g)].map(m => [m[1], m[2]]));
		const md5 = t => crypto.createHash('md5').update(t).digest('hex');
		const good = md5([md5('me:r:pass'), f.nonce, f.nc, f.cnonce, f.qop, md5(`${r.method}:${r.target}`)].join(':')) === f.response;
		answer(s, good ? `digest ${r.body}` : 'wrong', '', good ? '200 OK' : '403 No');
	},
};

function handle(s)
{
	let got = Buffer.alloc(0);
	s.number = ++connections;
	s.on('error', () => {});
	s.on('data', data =>
	{
		got = Buffer.concat([got, data]);
		for (;;)
		{
			const end = got.indexOf('\r\n\r\n');
			if (end < 0) return;
			const [first, ...lines] = got.subarray(0, end).toString('latin1').split('\r\n');
			const [method, target] = first.split(' ');
			const headers = Object.fromEntries(lines.map(l => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]));
			const length = Number(headers['content-length'] ?? 0);
			if (got.length < end + 4 + length) return;
			const body = got.subarray(end + 4, end + 4 + length);
			got = got.subarray(end + 4 + length);
			const [path, query] = target.split('?');
			seen[path] = (seen[path] ?? 0) + 1;
			if (s.closing) return s.destroy();
			if (method === 'HEAD') s.write(`HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n`);
			else (paths[path] ?? (t => answer(t, 'no such path', '', '404 Not Found')))(s, { method, target, headers, body, query: new URLSearchParams(query) });
		}
	});
}

// A mail sink: RCPT of nobody@ and a message with REFUSE are refused; AUTH wants me and pass.
function mail(s, offers = { tls: true })
{
	let got = '';
	let data = null;
	let step = null;
	let m = { to: [] };
	const say = t => s.write(t + '\r\n');
	s.on('error', () => {});
	if (!s.encrypted || s.smtps) say('220 sink ready');
	const line = l =>
	{
		if (step) return step(l);
		if (data !== null)
		{
			if (l !== '.') { data += (l.startsWith('.') ? l.slice(1) : l) + '\r\n'; return; }
			if (data.includes('REFUSE')) say('554 5.7.1 no such \x07 messages here');
			else { mails.push({ ...m, data, tls: !!s.encrypted }); say('250 2.0.0 taken'); }
			data = null;
			m = { to: [] };
			return;
		}
		const word = l.slice(0, 4).toUpperCase();
		if (word === 'EHLO') s.write('250-sink\r\n' + (offers.tls && !s.encrypted ? '250-STARTTLS\r\n' : '') + '250 AUTH PLAIN\r\n');
		else if (word === 'HELO') say('250 sink');
		else if (word === 'STAR')
		{
			say('220 go on');
			s.removeAllListeners('data');
			mail.secure(s);
		}
		else if (word === 'AUTH')
		{
			const check = t => { const good = Buffer.from(t, 'base64').toString() === '\0me\0pass'; m.user = good ? 'me' : undefined; say(good ? '235 2.7.0 welcome' : '535 5.7.8 who are you'); step = null; };
			const given = l.split(' ')[2];
			if (given) check(given); else { say('334 '); step = check; }
		}
		else if (word === 'MAIL') { m.from = l.slice(10); say('250 ok'); }
		else if (word === 'RCPT') { if (l.includes('nobody@')) say('550 5.1.1 nobody lives here'); else { m.to.push(l.slice(8)); say('250 ok'); } }
		else if (word === 'DATA') { data = ''; say('354 go on'); }
		else if (word === 'QUIT') { say('221 bye'); s.end(); }
		else say('250 ok');
	};
	s.on('data', d =>
	{
		got += d.toString('latin1');
		for (let i; (i = got.indexOf('\r\n')) >= 0;)
		{
			const l = got.slice(0, i);
			got = got.slice(i + 2);
			line(l);
		}
	});
}
mail.secure = s =>
{
	const t = new tls.TLSSocket(s, { isServer: true, key: file('good.key'), cert: file('good.crt') });
	t.on('error', () => {});
	t.once('secure', () => mail(Object.assign(t, { encrypted: true })));
};

const h2 = http2.createSecureServer({ key: file('good.key'), cert: file('good.crt'), allowHTTP1: false });
let sessions = 0;
h2.on('session', s => { s.number = ++sessions; s.on('error', () => {}); });
h2.on('stream', (st, headers) =>
{
	const path = headers[':path'].split('?')[0];
	st.on('error', () => {});
	if (path === '/endless') { st.respond({ ':status': 200 }); return pour(st, () => block); }
	if (path === '/bomb') { st.respond({ ':status': 200, 'content-encoding': 'gzip' }); return st.end(bomb(false)); }
	if (path === '/headers-many') { const h = { ':status': 200 }; for (let i = 0; i < 500; i++) h[`x-${i}`] = 'b'.repeat(100); st.respond(h); return st.end('ok'); }
	if (path === '/reset') return st.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
	if (path === '/goaway') return st.session.destroy();
	if (path === '/hang') return;
	st.respond({ ':status': 200, 'x-session': st.session.number });
	st.end('two');
});
h2.on('error', () => {});

const secure = (name, more = {}) => { const s = tls.createServer({ key: file(`${name}.key`), cert: file(`${name}.crt`), ...more }, handle); s.on('tlsClientError', () => {}); return s; };
const servers = {
	http: net.createServer(handle),
	other: net.createServer(handle),
	https: secure('good'),
	expired: secure('expired'),
	wronghost: secure('wronghost'),
	selfsigned: secure('selfsigned'),
	untrusted: secure('untrusted'),
	old: secure('good', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }),
	mutual: secure('good', { requestCert: true, rejectUnauthorized: true, ca: file('ca.crt') }),
	nottls: net.createServer(s => { s.on('error', () => {}); s.end('220 this is no TLS at all\r\n'); }),
	h2,
	smtp: net.createServer(s => mail(s)),
	smtpplain: net.createServer(s => mail(s, { tls: false })),
	smtps: tls.createServer({ key: file('good.key'), cert: file('good.crt') }, s => mail(Object.assign(s, { encrypted: true, smtps: true }))),
	deaf: net.createServer(s => { s.on('error', () => {}); }),
};
const ports = {};
await Promise.all(Object.entries(servers).map(([name, s]) => new Promise(done => s.listen({ port: 0, host: '::', ipv6Only: false }, () => { ports[name] = s.address().port; done(); }))));
for (const [name, s] of Object.entries(servers))
{
	opened[name] = 0;
	s.on('connection', () => opened[name]++);
}
// a port with nobody behind it
const closed = net.createServer().listen(0, '::');
await new Promise(done => closed.on('listening', done));
ports.closed = closed.address().port;
await new Promise(done => closed.close(done));
console.log(JSON.stringify(ports));
process.stdin.on('end', () => process.exit(0)).resume();
