-- What code leaves behind for other code: nothing. Tried from node to node, run to run, and tenant to tenant in one backend.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/code.psql'
\i :lib
SET client_min_messages = warning;
-- leaves everything that can be left, and says of how much it was refused
CREATE FUNCTION leaves() RETURNS text LANGUAGE sql AS $f$ SELECT $js$
	let refused = 0;
	const attempts = [
		() => { Object.prototype.left = 1 }, () => { Array.prototype.left = 1 }, () => { Function.prototype.left = 1 }, () => { String.prototype.left = 1 },
		() => { Promise.prototype.then = () => 'left' }, () => { Math.max = () => 'left' }, () => { JSON.stringify = () => '"left"' }, () => { console.log = () => {} },
		() => { Array.prototype.map = () => 'left' }, () => { Object.defineProperty(Object.prototype, 'left', {value: 1}) }, () => { Object.setPrototypeOf(Object.prototype, {left: 1}) },
		() => { ({}).__proto__.left = 1 }, () => { ({}).constructor.left = 1 }, () => { Error.prepareStackTrace = () => 'left' }, () => { RegExp.prototype.exec = () => null },
		() => { Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({done: true}) }, () => { Object.getPrototypeOf(async function () {}).left = 1 }, () => { Date.now = () => 0 }, () => { Symbol.iterator.left = 1 }
	];
	for (const attempt of attempts)
		try { attempt() } catch { refused++ }
	// these are allowed, and are gone when the call is over
	const allowed = [
		() => { globalThis.left = $input }, () => { (0, eval)('var leftToo = 1') },
		() => { globalThis.__proto__ = {left: 1} }, () => { Symbol.for('left') }, () => { globalThis.counter = (globalThis.counter ?? 0) + 1 },
		() => { queueMicrotask(() => { globalThis.late = 1 }) }, () => { new FinalizationRegistry(() => { globalThis.left = 2 }).register({}, 1) }
	];
	// functions that are made when they are first named may get properties
	for (const f of [[].map, [].filter, [].filter.call, Math.floor, Object.keys, parseInt, Reflect.get])
		Reflect.set(f, 'left', 1);
	let done = 0;
	for (const attempt of allowed) {
		attempt();
		done++;
	}
	return {refused, of: attempts.length, done, counter: globalThis.counter, random: Math.random()}$js$ $f$;
CREATE FUNCTION finds() RETURNS text LANGUAGE sql AS $f$ SELECT $js$
	const template = (s) => s;
	const site = () => template`x`;
	const found = [];
	const look = (name, value) => { if (value) found.push(name) };
	for (const name of ['left', 'leftToo', 'late', 'counter'])
		look('global ' + name, name in globalThis);
	for (const [name, value] of Object.entries({object: {}, array: [], function: () => 1, string: '', number: 1, promise: Promise.resolve(), map: [].map, filter: [].filter, call: [].filter.call, floor: Math.floor, error: new Error(), regexp: /x/, async: async () => 1, symbol: Symbol.iterator}))
		look(name, value.left);
	look('values', [3, 1, 2].map((x) => x * 2).join() !== '6,2,4' || Math.max(1, 2) !== 2 || JSON.stringify({a: 1}) !== '{"a":1}' || [...'ab'].length !== 2 || /b/.exec('abc')?.index !== 1);
	look('registered', Symbol.keyFor(Symbol.for('left')) !== 'left');
	look('await', await Promise.resolve(7).then((x) => x) !== 7);
	return {found, template: site() === site()}$js$ $f$;
-- two nodes of a run
SELECT wf_save('nodes', jsonb_build_object('nodes', jsonb_build_array(
	jsonb_build_object('id', 'a', 'type', 'code', 'config', jsonb_build_object('source', leaves())),
	jsonb_build_object('id', 'b', 'type', 'code', 'config', jsonb_build_object('source', finds())),
	jsonb_build_object('id', 'a2', 'type', 'code', 'config', jsonb_build_object('source', leaves())),
	jsonb_build_object('id', 'z', 'type', 'return', 'config', '{"value": {"a": "{{ $node.a.output.refused + \"/\" + $node.a.output.of + \" \" + $node.a.output.done }}", "b": "{{ $node.b.output }}", "a2": "{{ $node.a2.output.counter }}"}}'::jsonb)),
	'edges', '[{"source": "a", "target": "b"}, {"source": "b", "target": "a2"}, {"source": "a2", "target": "z"}]'::jsonb));
SELECT wf_run('nodes', '{"secret": "of a node"}')->'output';
-- two runs, of the same source and of others, also when one ends in the middle
SELECT save('leaves', leaves(), '{}'), save('finds', finds(), '{}');
SELECT wf_run('leaves')#>'{output,counter}', wf_run('finds')->'output', wf_run('leaves')#>'{output,counter}', wf_run('finds')->'output';
SELECT save('stopped', replace(leaves(), 'return {refused', 'for (;;) ; return {refused'), '{"limits": {"time": "20ms"}}');
SELECT ending_of(wf_run('stopped')), wf_run('finds')->'output';
SELECT save('full', replace(leaves(), 'return {refused', 'const a = []; for (;;) a.push(new Array(1e4).fill($input)); return {refused'), '{"limits": {"memory": "8MB"}}');
SELECT ending_of(wf_run('full')), wf_run('finds')->'output';
SELECT save('deep', replace(leaves(), 'return {refused', 'function f() { globalThis.left = 3; f() } f(); return {refused'), '{}');
SELECT ending_of(wf_run('deep')), wf_run('finds')->'output';
-- what is random is so for each run, and is the same for each attempt of one
SELECT save('random', 'return [Math.random(), Math.random()]', '{}');
SELECT count(DISTINCT wf_run('random')->>'output') FROM generate_series(1, 100);
-- two tenants in one backend: the same source, which is prepared once, and one after the other
CREATE ROLE wf_test_code_one LOGIN; CREATE ROLE wf_test_code_two LOGIN;
SELECT wf_create_tenant('one') IS NOT NULL, wf_create_tenant('two') IS NOT NULL, wf_grant('wf_test_code_one', 'one', 'owner'), wf_grant('wf_test_code_two', 'two', 'owner');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
SET SESSION AUTHORIZATION wf_test_code_one;
SELECT save('leaves', leaves(), '{}'), save('counts', 'globalThis.n = (globalThis.n ?? 0) + 1; const seen = globalThis.seen ?? []; seen.push($input); globalThis.seen = seen; return {n: globalThis.n, seen}', '{}');
SELECT wf_run('leaves', '{"secret": "of one"}')#>'{output,counter}', wf_run('counts', '{"secret": "of one"}')->'output';
SET SESSION AUTHORIZATION wf_test_code_two;
SELECT save('finds', finds(), '{}'), save('counts', 'globalThis.n = (globalThis.n ?? 0) + 1; const seen = globalThis.seen ?? []; seen.push($input); globalThis.seen = seen; return {n: globalThis.n, seen}', '{}');
SELECT wf_run('finds')->'output', wf_run('counts', '{"mine": 2}')->'output';
SET SESSION AUTHORIZATION wf_test_code_one;
SELECT wf_run('counts', '{"secret": "again"}')->'output';
RESET SESSION AUTHORIZATION;
-- each item of a call sees what the items before it left: they are one call
SELECT save('each', 'globalThis.n = (globalThis.n ?? 0) + 1; return globalThis.n', '{"mode": "each", "items": [1, 2, 3]}');
SELECT wf_run('each')#>'{output,items}', wf_run('each')#>'{output,items}';
-- everything that there is at the start is frozen; functions that are made when they are first named may get properties, for as long as the call takes
SELECT save('walk', $js$
	const roots = [globalThis, Object.getPrototypeOf(function* () {}), Object.getPrototypeOf(async function* () {}), Object.getPrototypeOf(async () => {}), Object.getPrototypeOf(Int8Array),
		...[[], new Map(), new Set(), ''].map((x) => Object.getPrototypeOf(x[Symbol.iterator]())), Object.getPrototypeOf('a'.matchAll(/a/g)), Object.getOwnPropertyDescriptor((function () { return arguments })(), 'callee').get];
	const seen = new Set(), changeable = [];
	const visit = (path, object) => {
		const todo = [[path, object]];
		while (todo.length > 0) {
			const [at, o] = todo.pop();
			if ((typeof o !== 'object' && typeof o !== 'function') || o === null || seen.has(o))
				continue;
			seen.add(o);
			const mine = o === globalThis;
			if (Object.isExtensible(o) && !mine && typeof o !== 'function')
				changeable.push(at);
			for (const key of Reflect.ownKeys(o)) {
				const d = Reflect.getOwnPropertyDescriptor(o, key), name = at + '.' + String(key);
				if (d.writable || (d.configurable && !(typeof o === 'function' && (key === 'name' || key === 'length'))))
					changeable.push(name);
				for (const part of ['value', 'get', 'set'])
					todo.push([name, d[part]]);
			}
			todo.push([at + '.[[Prototype]]', Object.getPrototypeOf(o)]);
		}
	};
	roots.forEach((root, i) => visit('root' + i, root));
	return {changeable, many: seen.size > 500}$js$, '{}');
SELECT wf_run('walk')->'output';
DROP OWNED BY wf_test_code_one, wf_test_code_two;
SELECT wf_revoke('wf_test_code_one', 'one'), wf_revoke('wf_test_code_two', 'two');
DROP ROLE wf_test_code_one, wf_test_code_two;
