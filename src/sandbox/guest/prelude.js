// What code finds beside the language; evaluated once, then frozen (guest.c).

// An object may have properties of its own that are called as those of its prototype: `this.name = 'MyError'`, `point.toString = ...`. An
// assignment to a property that a frozen prototype has would throw, so such properties are accessors whose setter gives the object one
// of its own. Methods of lists, texts, numbers, maps and sets stay as they are, since an accessor makes each call of them slower:
// of them only names that many kinds of objects have can be assigned.
{
	const open = (prototype, all) => {
		const common = ['constructor', 'toString', 'toLocaleString', 'toJSON', 'valueOf'];
		for (const key of Reflect.ownKeys(prototype)) {
			if (!all && !common.includes(key))
				continue;
			const property = Object.getOwnPropertyDescriptor(prototype, key);
			if (!('value' in property) || !property.configurable)
				continue;
			const value = property.value;
			Object.defineProperty(prototype, key, {
				get: { get() { return value; } }.get,
				set: {
					set(own) {
						if (this === prototype)
							throw new TypeError(`'${String(key)}' is read-only`);
						Object.defineProperty(this, key, { value: own, writable: true, enumerable: true, configurable: true });
					}
				}.set,
				enumerable: property.enumerable,
			});
		}
	};
	const busy = [Array, String, Number, BigInt, Map, Set, ArrayBuffer, Object.getPrototypeOf(Int8Array)];
	const seen = new Set();
	const prototypes = [
		...Reflect.ownKeys(globalThis).map((name) => globalThis[name]?.prototype),
		...[function* () {}, async function* () {}, async function () {}].map((f) => Object.getPrototypeOf(f)),
		...[(function* () {})(), (async function* () {})(), [][Symbol.iterator](), ''[Symbol.iterator](), new Map().entries(), new Set().values()]
			.flatMap((i) => [Object.getPrototypeOf(i), Object.getPrototypeOf(Object.getPrototypeOf(i))]),
		Object.getPrototypeOf(Int8Array).prototype,
	];
	for (const prototype of prototypes) {
		if (prototype === undefined || seen.has(prototype))
			continue;
		seen.add(prototype);
		open(prototype, !busy.some((made) => made.prototype === prototype));
	}
}

Object.defineProperty(globalThis, 'queueMicrotask', {
	value: { queueMicrotask(job) { Promise.resolve().then(() => { job(); }); } }.queueMicrotask,
});

// Math and JSON are made when they are first named: now, so that they are frozen too.
for (const name of Reflect.ownKeys(globalThis))
	globalThis[name];
