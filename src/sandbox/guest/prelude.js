// What code finds beside the language; evaluated once, then frozen (guest.c).

// Objects of one's own may have properties of the names that frozen prototypes have: `this.name = 'MyError'`, `point.toString = ...`.
// An assignment to a frozen property would throw, so these are accessors whose setter gives the object one of its own.
{
	const open = (prototype) => {
		for (const key of Reflect.ownKeys(prototype)) {
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
	const errors = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError];
	for (const made of [Object, Function, ...errors])
		open(made.prototype);
}

Object.defineProperty(globalThis, 'queueMicrotask', {
	value: { queueMicrotask(job) { Promise.resolve().then(() => { job(); }); } }.queueMicrotask,
});

// Math and JSON are made when they are first named: now, so that they are frozen too.
for (const name of Reflect.ownKeys(globalThis))
	globalThis[name];
