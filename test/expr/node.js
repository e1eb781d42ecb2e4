'use strict';
/*
 * node.js: what JavaScript itself gives, for the differential test of expressions.
 *
 *   node node.js table <file>             the hand-written expressions of a file
 *   node node.js generate <seed> <count>  expressions from a grammar, over contexts from a generator
 *   node node.js shrink                   smaller variants of the case on standard input
 *
 * Prints one JSON object a line: {cls, expr, ctx, want} with the result as JSON text, or want null when
 * JavaScript throws or its result cannot be stored in a database (U+0000, half of a surrogate pair).
 * A generated case also has `tree`: a node is a string or {p: [parts]}, and its text is its parts joined.
 *
 * Left out on purpose, as docs/expressions.md says: the last digit of transcendental functions, long
 * names of time zones, and what depends on the version of ICU.
 */
const fs = require('fs');

/* -- what Node.js 18 does not have yet -- */

function add(prototype, name, value)
{
	if (!(name in prototype))
		Object.defineProperty(prototype, name, {value, writable: true, configurable: true});
}

add(Array.prototype, 'toReversed', function () { return Array.from(this).reverse(); });
add(Array.prototype, 'toSorted', function (compare) { return Array.from(this).sort(compare); });
add(Array.prototype, 'toSpliced', function (...args)
{
	const copy = Array.from(this);
	copy.splice(...args);
	return copy;
});
add(Array.prototype, 'with', function (index, value)
{
	const at = Math.trunc(index) || 0;
	if (at >= this.length || at < -this.length)
		throw new RangeError('index');
	return Array.from(this, (x, i) => i === (at < 0 ? at + this.length : at) ? value : x);
});
add(String.prototype, 'isWellFormed', function () { return !/\p{Surrogate}/u.test(this); });
add(String.prototype, 'toWellFormed', function () { return this.replace(/\p{Surrogate}/gu, '\ufffd'); });

/* -- running -- */

/* jsonb's order of keys, so that both sides see the same object. */
function ordered(value)
{
	if (Array.isArray(value))
		return value.map(ordered);
	if (value === null || typeof value !== 'object')
		return value;
	const keys = Object.keys(value).map((k) => Buffer.from(k));
	keys.sort((a, b) => a.length - b.length || Buffer.compare(a, b));
	return Object.fromEntries(keys.map((k) => [k.toString(), ordered(value[k.toString()])]));
}

function evaluate(expr, ctx)
{
	const copy = JSON.parse(JSON.stringify(ctx));
	try
	{
		const value = new Function('$input', '$item', '$index', '$vars', `"use strict"; return (${expr}\n)`)(
			copy.input, copy.item, copy.index, copy.vars);
		/* some versions of ICU put a narrow space before AM and PM */
		const text = JSON.stringify(value)?.replace(/\u202f(?=[AaPp]\.?[Mm])/g, ' ');
		if (text === undefined)
			return 'null';
		/* escapes that the text itself holds, not those of text within a string */
		if (/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/.test(text))
			return null;
		return text;
	}
	catch (e)
	{
		if (e instanceof RangeError && /call stack/.test(e.message))
			return undefined;
		return null;
	}
}

function print(cls, expr, ctx, tree)
{
	const want = evaluate(expr, ctx);
	if (want !== undefined && want !== null && want.length > 200000)
		return;
	if (want !== undefined)
		process.stdout.write(JSON.stringify({cls, expr, ctx, want, tree}) + '\n');
}

/* -- the table -- */

const tableContext = ordered({
	input: {
		name: 'Ünï😀', s: 'hello world', n: 42, f: 1.5, big: 9007199254740993, neg: -7, l: [3, 1, 2],
		o: {b: 1, a: {x: [1, {y: 2}]}, 10: 'ten', 9: 'nine'}, e: [], eo: {}, z: null, t: true, empty: '',
		items: [{k: 'a', v: 1}, {k: 'b', v: 2}, {k: 'a', v: 3}], d: '2024-03-10T12:34:56.789Z',
		mixed: [1, '1', null, true, {a: 1}, [2]], num: '12.5', html: '<p>a &amp; b</p>', csv: 'a,b\nc,d',
	},
	item: {id: 5, tags: ['x', 'y']}, index: 3, vars: {region: 'EU'},
});

/* "# class (node 20)", "# class (icu 74)": rows that an older one would get wrong; "(node until 22)": a newer one. */
function isOfAnother(cls)
{
	const [, what, until, version] = /\((node|icu) (until )?(\d+)\)$/.exec(cls) ?? [];
	const here = parseInt(process.versions[what], 10);
	return what !== undefined && (until ? here > +version : here < +version);
}

function table(file)
{
	let cls = 'table';
	for (const line of fs.readFileSync(file, 'utf8').split('\n'))
	{
		if (line.startsWith('# '))
			cls = line.slice(2);
		else if (line.trim() !== '' && !isOfAnother(cls))
			print(cls, line, tableContext);
	}
}

/* -- the generator -- */

let state;
function random()
{
	/* mulberry32 */
	state = (state + 0x6D2B79F5) | 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;

const words = ['', 'a', 'abc', 'Hello World', 'foo bar', '12', ' 3.5 ', '-0', '1e3', '0x1F', 'null', 'true', 'é', 'ß',
	'Ünïcode', '日本語', '😀', 'a😀b', 'x,y,z', 'line\nbreak', 'tab\there', "it's", '"q"', '\\', 'İ', 'ǅ', 'ΑΣ', 'ﬁ',
	'2024-03-10', '2024-02-29T23:59:59.999Z', 'a-b_c', 'AAA', 'aXbXc', '%41', 'z\u0301', '\u00a0x\u00a0', '9007199254740993'];
const numbers = [0, 1, -1, 2, 3, 5, 7, 10, 42, 100, 255, 256, 1000, 1024, 0.5, 0.1, 0.2, 0.3, 1.5, 2.5, -2.5, 1.005, 1e21, 1e-7,
	123456789.123, 2147483647, 2147483648, 4294967295, 4294967296, 9007199254740991, 9007199254740992, -0.5, 1e300, 5e-324,
	1e20, 123456789012345680000, 0.000001, 1.7976931348623157e308];
const keys = ['a', 'b', 'k', 'v', 'id', 'name', 'x y', '1', '10', '02', 'é'];

function word()
{
	return chance(0.8) ? pick(words) : Array.from({length: below(6)}, () => pick([...'abcXYZ 019-é😀'])).join('');
}
function number()
{
	if (chance(0.6))
		return pick(numbers);
	if (chance(0.5))
		return below(200) - 100;
	return Math.round((random() - 0.5) * 10 ** below(12)) / 10 ** below(6);
}
function json(depth)
{
	switch (below(depth > 0 ? 8 : 5))
	{
		case 0: return number();
		case 1: return word();
		case 2: return chance(0.5);
		case 3: return null;
		case 4: return number();
		case 5: return Array.from({length: below(5)}, () => json(depth - 1));
		default: return Object.fromEntries(Array.from({length: below(5)}, () => [pick(keys), json(depth - 1)]));
	}
}
function context()
{
	return ordered({
		input: {
			n: number(), m: number(), s: word(), t: word(), b: chance(0.5), z: null,
			l: Array.from({length: below(7)}, number), w: Array.from({length: below(6)}, word),
			o: Object.fromEntries(Array.from({length: below(6)}, () => [pick(keys), json(1)])),
			items: Array.from({length: below(6)}, () => ({id: below(10), k: pick(['a', 'b', 'c']), v: number(), name: word()})),
			x: json(3),
		},
		item: json(2), index: below(10), vars: {r: word()},
	});
}

const P = (...p) => ({p});
const text = (tree) => (typeof tree === 'string' ? tree : tree.p.map(text).join(''));
const quote = (s) => (chance(0.5) ? JSON.stringify(s) : "'" + JSON.stringify(s).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'") + "'");

/* locals: [{name, type}] */
function local(locals, type)
{
	const fit = locals.filter((l) => l.type === type || l.type === 'any');
	return fit.length > 0 && chance(0.7) ? pick(fit).name : null;
}

const paths = {
	num: ['$input.n', '$input.m', '$input.l[0]', '$input.items[0]?.v', '$index', '$input.l.length', '$input["n"]'],
	str: ['$input.s', '$input.t', '$input.w[1]', '$vars.r', '$input.items[1]?.name', '$input?.s'],
	bool: ['$input.b', 'true', 'false'],
	arr: ['$input.l', '$input.w', '$input.items', '[]', '$input.x'],
	obj: ['$input.o', '$input.items[0]', '$input', '{}', '$input.x'],
	any: ['$input.x', '$item', '$input.z', 'undefined', 'null', '$input.nope', '$input.o.a', '$input.x?.[0]'],
};

function leaf(type, locals)
{
	const name = local(locals, type);
	if (name !== null)
		return name;
	if (chance(0.55))
		return pick(paths[type]) === '{}' ? '({})' : pick(paths[type]).replace(/^\{\}$/, '({})');
	switch (type)
	{
		case 'num': { const n = number(); return n < 0 ? `(${n})` : String(n); }
		case 'str': return quote(word());
		case 'bool': return pick(['true', 'false']);
		case 'arr': return '[' + Array.from({length: below(4)}, () => (chance(0.5) ? String(number()) : quote(word()))).join(', ') + ']';
		case 'obj': return '({' + Array.from({length: below(4)}, () => quote(pick(keys)) + ': ' + JSON.stringify(json(1))).join(', ') + '})';
		default: return leaf(pick(['num', 'str', 'bool', 'arr', 'obj']), locals);
	}
}

let counter = 0;
function callback(params, result, depth, locals)
{
	const names = params.map(() => pick(['x', 'y', 'e', 'it']) + (counter++ % 50));
	const inner = locals.concat(params.map((type, i) => ({name: names[i], type})));
	return P(`(${names.join(', ')}) => `, gen(result, depth - 1, inner));
}

const patterns = ['/a/', '/[a-z]+/g', '/\\d+/', '/(\\w)(\\w)/g', '/\\s+/', '/(?<first>\\w+)/', '/X/gi', '/^./u', '/[^a]$/u', '/b*/gu',
	'/(a)|(b)/g', '/-/', '/\\bo/', '/[\\u00e0-\\u00ff]/', '/o(?=r)/', '/,/g', '/é/u', '/./su'];

const productions = {
	num: [
		(d, l) => P('(', gen('num', d - 1, l), ' ', pick(['+', '-', '*', '/', '%']), ' ', gen('num', d - 1, l), ')'),
		(d, l) => P('(', gen('any', d - 1, l), ' ', pick(['-', '*', '/', '%', '|', '&', '^', '<<', '>>', '>>>']), ' ', gen('any', d - 1, l), ')'),
		(d, l) => P('(', gen('num', d - 1, l), ' ** ', pick(['2', '-1', '0']), ')'),
		(d, l) => P(pick(['-', '+', '~']), gen(pick(['num', 'str', 'any']), d - 1, l)),
		(d, l) => P('Math.', pick(['floor', 'ceil', 'round', 'abs', 'trunc', 'sign', 'sqrt', 'fround', 'clz32']), '(', gen('num', d - 1, l), ')'),
		(d, l) => P('Math.', pick(['max', 'min', 'imul', 'hypot']), '(', gen('num', d - 1, l), ', ', gen('num', d - 1, l), ')'),
		(d, l) => P('Math.max(...', gen('arr', d - 1, l), ')'),
		(d, l) => P(gen('str', d - 1, l), '.length'),
		(d, l) => P(gen('arr', d - 1, l), '.length'),
		(d, l) => P(pick(['Number', 'parseInt', 'parseFloat']), '(', gen(pick(['str', 'any']), d - 1, l), ')'),
		(d, l) => P(gen('str', d - 1, l), pick(['.indexOf', '.lastIndexOf', '.localeCompare']).replace('.localeCompare', '.indexOf'), '(', gen('str', d - 1, l), ')'),
		(d, l) => P(gen('str', d - 1, l), pick(['.charCodeAt', '.codePointAt']), '(', gen('num', d - 1, l), ')'),
		(d, l) => P(gen('str', d - 1, l), '.search(', pick(patterns), ')'),
		(d, l) => P(gen('arr', d - 1, l), pick(['.indexOf', '.lastIndexOf']), '(', gen('any', d - 1, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), pick(['.findIndex', '.findLastIndex']), '(', callback(['any'], 'bool', d, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), '.reduce(', callback(['num', 'any'], 'num', d, l), ', ', gen('num', d - 1, l), ')'),
		(d, l) => P('new Date(', gen(pick(['str', 'num']), d - 1, l), ').', pick(['getTime', 'getFullYear', 'getMonth', 'getUTCDate', 'getDay', 'getHours', 'getTimezoneOffset']), '()'),
		(d, l) => P('new Set(', gen('arr', d - 1, l), ').size'),
		(d, l) => P('parseInt(', gen('str', d - 1, l), ', ', pick(['2', '8', '10', '16', '36']), ')'),
	],
	str: [
		(d, l) => P('(', gen('str', d - 1, l), ' + ', gen('any', d - 1, l), ')'),
		(d, l) => P('`', pick(['', 'x', 'a: ']), '${', gen('any', d - 1, l), '}', pick(['', ' y']), '`'),
		(d, l) => P('String(', gen('any', d - 1, l), ')'),
		(d, l) => P(gen('str', d - 1, l), pick(['.toUpperCase()', '.toLowerCase()', '.trim()', '.trimStart()', '.trimEnd()', '.normalize("NFD")', '.toString()'])),
		(d, l) => P(gen('str', d - 1, l), pick(['.slice', '.substring', '.substr']), '(', gen('num', d - 1, l), chance(0.5) ? P(', ', gen('num', d - 1, l)) : '', ')'),
		(d, l) => P(gen('str', d - 1, l), pick(['.charAt', '.at']), '(', gen('num', d - 1, l), ')'),
		(d, l) => P(gen('str', d - 1, l), pick(['.padStart', '.padEnd']), '(', pick(['0', '5', '12']), chance(0.5) ? P(', ', gen('str', d - 1, l)) : '', ')'),
		(d, l) => P(gen('str', d - 1, l), '.repeat(', pick(['0', '1', '3']), ')'),
		(d, l) => P(gen('str', d - 1, l), pick(['.replace', '.replaceAll']), '(', gen('str', d - 1, l), ', ', chance(0.3) ? quote(pick(['$&', '[$`]', "$'", '$$', '$1', '-'])) : gen('str', d - 1, l), ')'),
		(d, l) => P(gen('str', d - 1, l), '.replace(', pick(patterns), ', ', quote(pick(['', '-', '[$&]', '$1', '$2$1', '$<first>', '$0', '$10', '$`|'])), ')'),
		(d, l) => P(gen('str', d - 1, l), '.replace(', pick(patterns), ', ', callback(['str', 'any'], 'str', d, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), '.join(', chance(0.7) ? gen('str', d - 1, l) : '', ')'),
		(d, l) => P('JSON.stringify(', gen('any', d - 1, l), chance(0.2) ? ', null, 2' : '', ')'),
		(d, l) => P(gen('num', d - 1, l), '.toFixed(', pick(['0', '1', '2', '5', '10']), ')').p[0] === '' ? '' : P('(', gen('num', d - 1, l), ').toFixed(', pick(['0', '1', '2', '5', '10']), ')'),
		(d, l) => P('(', gen('num', d - 1, l), ').', pick(['toPrecision(3)', 'toPrecision(10)', 'toExponential(2)', 'toExponential()', 'toString(16)', 'toString(2)', 'toString(36)', 'toString()'])),
		(d, l) => P('typeof ', gen('any', d - 1, l)),
		(d, l) => P('encodeURIComponent(', gen('str', d - 1, l), ')'),
		(d, l) => P('new Date(', gen(pick(['num', 'str']), d - 1, l), ').toISOString()'),
		(d, l) => P('new Date(', gen('num', d - 1, l), ').toLocaleDateString("en-US")'),
		(d, l) => P('(', gen('num', d - 1, l), ' % 1e15).toLocaleString()'),
		(d, l) => P(gen('str', d - 1, l), '[', gen('num', d - 1, l), ']'),
		(d, l) => P(gen('str', d - 1, l), '.concat(', gen('any', d - 1, l), ')'),
	],
	bool: [
		(d, l) => P('(', gen('any', d - 1, l), ' ', pick(['===', '!==', '==', '!=', '<', '>', '<=', '>=']), ' ', gen('any', d - 1, l), ')'),
		(d, l) => P('(', gen('num', d - 1, l), ' ', pick(['===', '<', '>', '<=', '>=', '==']), ' ', gen('num', d - 1, l), ')'),
		(d, l) => P('(', gen('str', d - 1, l), ' ', pick(['===', '<', '>', '==']), ' ', gen('str', d - 1, l), ')'),
		(d, l) => P('!', gen('any', d - 1, l)),
		(d, l) => P('(', gen('bool', d - 1, l), pick([' && ', ' || ']), gen('bool', d - 1, l), ')'),
		(d, l) => P(gen('str', d - 1, l), pick(['.includes', '.startsWith', '.endsWith']), '(', gen('str', d - 1, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), '.includes(', gen('any', d - 1, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), pick(['.some', '.every']), '(', callback(['any'], 'bool', d, l), ')'),
		(d, l) => P(pick(patterns), '.test(', gen('str', d - 1, l), ')'),
		(d, l) => P(pick(['isNaN', 'isFinite', 'Boolean', 'Array.isArray', 'Number.isInteger']), '(', gen('any', d - 1, l), ')'),
		(d, l) => P('(', quote(pick(keys)), ' in ', gen('obj', d - 1, l), ')'),
		(d, l) => P('Object.hasOwn(', gen('obj', d - 1, l), ', ', quote(pick(keys)), ')'),
		(d, l) => P('new Set(', gen('arr', d - 1, l), ').has(', gen('any', d - 1, l), ')'),
		(d, l) => P('Object.is(', gen('num', d - 1, l), ', ', gen('num', d - 1, l), ')'),
	],
	arr: [
		(d, l) => P(gen('arr', d - 1, l), '.map(', callback(chance(0.5) ? ['any'] : ['any', 'num'], 'any', d, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), '.filter(', callback(['any'], 'bool', d, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), '.flatMap(', callback(['any'], 'arr', d, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), pick(['.slice()', '.slice(1)', '.slice(-2)', '.slice().reverse()', '.toReversed()', '.flat()', '.concat()', '.slice().sort()', '.toSorted()'])),
		(d, l) => P(gen('arr', d - 1, l), '.slice(', gen('num', d - 1, l), ', ', gen('num', d - 1, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), '.concat(', gen('any', d - 1, l), ')'),
		(d, l) => P('[', gen('any', d - 1, l), ', ', gen('any', d - 1, l), ']'),
		(d, l) => P('[...', gen('arr', d - 1, l), ', ', gen('any', d - 1, l), ']'),
		(d, l) => P('[...', gen('str', d - 1, l), ']'),
		(d, l) => P('[...new Set(', gen('arr', d - 1, l), ')]'),
		(d, l) => P(gen('str', d - 1, l), '.split(', gen('str', d - 1, l), chance(0.2) ? P(', ', gen('num', d - 1, l)) : '', ')'),
		(d, l) => P(gen('str', d - 1, l), '.split(', pick(patterns), ')'),
		(d, l) => P(gen('str', d - 1, l), '.match(', pick(patterns), ')'),
		(d, l) => P('[...', gen('str', d - 1, l), '.matchAll(', pick(['/[a-z]/g', '/(\\w)(\\d?)/g', '/x*/gu']), ')]'),
		(d, l) => P('Object.', pick(['keys', 'values', 'entries']), '(', gen('obj', d - 1, l), ')'),
		(d, l) => P('Array.from({length: ', String(below(5)), '}, ', callback(['any', 'num'], 'any', d, l), ')'),
		(d, l) => P('$input.items.sort(', callback(['any', 'any'], 'num', 1, l), ').map(i => i.id)').p.length ? P('$input.l.slice().sort((a, b) => ', pick(['a - b', 'b - a', 'a % 3 - b % 3']), ')') : '',
		(d, l) => P('$input.items.slice().sort((a, b) => ', pick(['a.k.localeCompare(b.k)', 'a.v - b.v', 'a.k < b.k ? -1 : a.k > b.k ? 1 : 0']), ').map(i => i.id)'),
		(d, l) => P(gen('arr', d - 1, l), '.toSpliced(', String(below(3)), ', ', String(below(3)), ', ', gen('any', d - 1, l), ')'),
		(d, l) => P('((a) => (a.push(', gen('any', d - 1, l), '), a))([', gen('any', d - 1, l), '])'),
		(d, l) => P('Array(', String(below(4)), ').fill(', gen('any', d - 1, l), ')'),
	],
	obj: [
		(d, l) => P('({', quote(pick(keys)), ': ', gen('any', d - 1, l), ', ', quote(pick(keys)), ': ', gen('any', d - 1, l), '})'),
		(d, l) => P('({...', gen('obj', d - 1, l), ', [', gen('str', d - 1, l), ']: ', gen('any', d - 1, l), '})'),
		(d, l) => P('Object.fromEntries(Object.entries(', gen('obj', d - 1, l), ').', pick(['map', 'filter']) === 'map' ? P('map(([k, v]) => [k + "!", ', gen('any', d - 1, l.concat([{name: 'v', type: 'any'}])), '])') : P('filter(([k, v]) => ', gen('bool', d - 1, l.concat([{name: 'v', type: 'any'}])), ')'), ')'),
		(d, l) => P('Object.assign({}, ', gen('obj', d - 1, l), ', ', gen('obj', d - 1, l), ')'),
		(d, l) => P('(({a, ...r}) => ({a, r}))(', gen('obj', d - 1, l), ')'),
		(d, l) => P('$input.items.reduce((acc, i) => ({...acc, [i.k]: ', gen('any', d - 1, l.concat([{name: 'i', type: 'obj'}])), '}), {})'),
		(d, l) => P('JSON.parse(JSON.stringify(', gen('any', d - 1, l), ') ?? "{}")'),
		(d, l) => P('$input.items.find(', callback(['obj'], 'bool', d, l), ')'),
	],
	any: [
		(d, l) => P('(', gen('bool', d - 1, l), ' ? ', gen('any', d - 1, l), ' : ', gen('any', d - 1, l), ')'),
		(d, l) => P('(', gen('any', d - 1, l), pick([' ?? ', ' || ', ' && ']), gen('any', d - 1, l), ')'),
		(d, l) => P('(', gen('any', d - 1, l), ' + ', gen('any', d - 1, l), ')'),
		(d, l) => P(gen('obj', d - 1, l), pick(['.a', '?.b', '["k"]', '.a?.b', '?.["x y"]', '[1]'])),
		(d, l) => P(gen('arr', d - 1, l), '[', gen('num', d - 1, l), ']'),
		(d, l) => P(gen('arr', d - 1, l), pick(['.at(-1)', '.at(0)', '?.[0]', '.slice().pop()', '.slice().shift()'])),
		(d, l) => P(gen('arr', d - 1, l), pick(['.find', '.findLast']), '(', callback(['any'], 'bool', d, l), ')'),
		(d, l) => P(gen('arr', d - 1, l), '.reduce(', callback(['any', 'any'], 'any', d, l), ')'),
		(d, l) => P('((p, q = ', gen('any', d - 1, l), ') => ', gen('any', d - 1, l.concat([{name: 'p', type: 'any'}, {name: 'q', type: 'any'}])), ')(', gen('any', d - 1, l), ')'),
		(d, l) => P('(([p, , q]) => [q, p])(', gen('arr', d - 1, l), ')'),
		(d, l) => P('(', gen('any', d - 1, l), ', ', gen('any', d - 1, l), ')'),
		(d, l) => P('void ', gen('any', d - 1, l)),
		(d, l) => P('new Map(Object.entries(', gen('obj', d - 1, l), ')).get(', quote(pick(keys)), ')'),
		(d, l) => gen(pick(['num', 'str', 'bool', 'arr', 'obj']), d, l),
		(d, l) => gen(pick(['num', 'str', 'bool', 'arr', 'obj']), d, l),
	],
};

function gen(type, depth, locals)
{
	if (depth <= 0 || chance(0.15))
		return leaf(type, locals);
	return pick(productions[type])(depth, locals);
}

/* A literal number before a dot needs parentheses; operators bind as text only inside parentheses. */
function source(tree)
{
	return text(tree).replace(/(?<![\w.$"'`)\]])(\d+)\.(?=[a-zA-Z?])/g, '($1).');
}

function generate(seed, count)
{
	state = seed | 0;
	for (let i = 0; i < count; i++)
	{
		const type = pick(['num', 'str', 'bool', 'arr', 'obj', 'any']);
		const ctx = context();
		const tree = gen(type, 1 + below(4), []);
		const expr = source(tree);
		try
		{
			new Function(`return (${expr}\n)`);
		}
		catch (e)
		{
			continue;
		}
		if (expr.length < 2000)
			print(type, expr, ctx, tree);
	}
}

/* -- shrinking: a node replaced by one of its parts, or by something simple -- */

function* variants(tree)
{
	if (typeof tree === 'string')
		return;
	for (const part of tree.p)
		if (typeof part !== 'string')
			yield part;
	for (const simple of ['1', "''", '[]', 'null', 'undefined', '({})', "'a'"])
		yield simple;
	for (let i = 0; i < tree.p.length; i++)
		for (const smaller of variants(tree.p[i]))
			yield {p: tree.p.map((part, j) => (j === i ? smaller : part))};
}

function shrink()
{
	const found = JSON.parse(fs.readFileSync(0, 'utf8'));
	for (const tree of variants(found.tree))
	{
		const expr = source(tree);
		if (expr.length < found.expr.length)
			print(found.cls, expr, found.ctx, tree);
	}
}

const [, , command, ...args] = process.argv;
if (command === 'table')
	table(args[0]);
else if (command === 'generate')
	generate(Number(args[0]), Number(args[1]));
else if (command === 'shrink')
	shrink();
else
	process.exitCode = 2;
