'use strict';
/*
 * node.js: what Node.js makes of the programs of the language table, for the comparison with `code` blocks.
 *
 *   node node.js programs.txt [name ...]    runs every program of the file, or those named
 *   node node.js --programs programs.txt    runs none; prints {name, needs, source}, as a reader for others
 *
 * Prints one JSON object a line, in the file's order:
 *
 *   {name, result, log}    what the program returned, undefined as null; `log` if it printed anything
 *   {name, error, log}     what it threw
 *   {name, skip}           this version of Node.js lacks what the program needs, named here
 *
 * An error has `name` for all that inherit from Error, and for those thrown while the program ran `line`,
 * the innermost line of the program in its stack, counted from 1, and `message`. The message is left out when the
 * program is marked `# message open`: the standard leaves it to the engine. A program that does not
 * parse gives {"name": "SyntaxError"} alone. Anything else that was thrown is in `value`, as JSON.
 *
 * So what a line holds must be the same elsewhere, and what it doesn't hold is not compared.
 *
 * The file: each line `----` begins a program; what stands before the first tells of the file. Lines that
 * begin with `# ` before anything else are a program's head, and the rest is the body of an async function
 * in strict mode. The head's first line is the name; then may follow `# needs: EXPRESSION ...`, each without
 * blanks and undefined where the program cannot run, `# message open`, and in differs.txt
 * `# differs: ...`, `# node: ...` and `# quickjs: ...`.
 */
const fs = require('fs');
const path = require('path');
const vm = require('vm');

process.env.TZ = 'UTC';
process.on('unhandledRejection', () => {});

const AsyncFunction = (async () => {}).constructor;
const PARAMETERS = ['$input', '$vars', '$item'];
const FILE = 'program.js';

/* programs(text): a list of {name, needs, open, source}. */
function programs(text)
{
	const list = [];
	const names = new Set();
	for (const record of text.split(/^----\n/m).slice(1))
	{
		const lines = record.split('\n');
		let head = 0;
		while (head < lines.length && lines[head].startsWith('# '))
			head++;
		const heads = lines.slice(0, head).map((l) => l.slice(2));
		const source = lines.slice(head).join('\n').replace(/\n+$/, '\n');
		const name = heads[0];
		if (name === undefined || names.has(name))
			throw new Error(`a program without a name of its own: ${name ?? record}`);
		names.add(name);
		const needs = heads.filter((h) => h.startsWith('needs: ')).flatMap((h) => h.slice(7).split(' '));
		list.push({name, needs, open: heads.includes('message open'), source});
	}
	return list;
}

/* lacking(needs): the first of the expressions that is undefined here, or undefined. */
function lacking(needs)
{
	return needs.find((n) =>
	{
		try
		{
			return vm.runInThisContext(n) === undefined;
		}
		catch
		{
			return true;
		}
	});
}

/* print(log, values): as the sandbox's console.log does. */
function print(log, values)
{
	log.push(values.map((v) => (typeof v === 'object' && v !== null ? JSON.stringify(v) ?? String(v) : String(v))).join(' '));
}

/* lineOf(error): the innermost line of the program in its stack, or undefined. */
function lineOf(error)
{
	const at = typeof error.stack === 'string' && error.stack.match(/\n\s+at [^\n]*program\.js:(\d+):\d+/);
	return at ? Number(at[1]) : undefined;
}

function described(error, open)
{
	if (!(error instanceof Error))
		return {value: JSON.parse(JSON.stringify(error) ?? 'null')};
	const line = lineOf(error);
	return {name: String(error.name), ...open ? {} : {message: String(error.message)}, ...line ? {line} : {}};
}

/* run(program, input): the object to print. */
async function run({name, needs, open, source}, input)
{
	const lack = lacking(needs);
	if (lack !== undefined)
		return {name, skip: lack};
	let body;
	try
	{
		/* only this constructor refuses a body that closes its function and opens another */
		AsyncFunction(...PARAMETERS, `"use strict";${source}`);
		body = vm.runInThisContext(`(async function (${PARAMETERS}) { "use strict";${source}\n})`, {filename: FILE});
	}
	catch (e)
	{
		return {name, error: {name: e.name}};
	}
	const log = [];
	const own = console.log;
	console.log = (...values) => print(log, values);
	let out;
	try
	{
		const value = await body.call(undefined, JSON.parse(input), undefined, undefined);
		out = {name, result: JSON.parse(JSON.stringify(value) ?? 'null')};
	}
	catch (e)
	{
		out = {name, error: described(e, open)};
	}
	console.log = own;
	if (log.length > 0)
		out.log = log;
	return out;
}

async function main([file, ...rest])
{
	if (file === '--programs')
	{
		for (const {name, needs, source} of programs(fs.readFileSync(rest[0], 'utf8')))
			console.log(JSON.stringify({name, needs, source}));
		return;
	}
	const input = fs.readFileSync(path.join(__dirname, 'input.json'), 'utf8');
	const list = programs(fs.readFileSync(file, 'utf8'));
	const lines = [];
	for (const program of list)
		if (rest.length === 0 || rest.includes(program.name))
			lines.push(JSON.stringify(await run(program, input)));
	console.log(lines.join('\n'));
}

main(process.argv.slice(2));
