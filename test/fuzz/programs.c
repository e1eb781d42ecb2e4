/*
 * programs.c: makes and changes programs, for libFuzzer: bytes changed at random seldom leave one that can be read.
 *
 * A change takes pieces out (a token, a statement, what stands between two brackets), doubles them, or puts others in: of the same program, of a
 * grammar, or of a list of what has hurt engines before. Every fifth input is a new program of the grammar.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "fuzz.h"

extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

typedef struct Text
{
	char	   *data;
	size_t		size;
	size_t		most;
	int			depth;
} Text;

static pg_prng_state rng;

static size_t
below(size_t n)
{
	return n == 0 ? 0 : (size_t) (pg_prng_uint64(&rng) % n);
}

static void
put(Text *text, const char *part)
{
	size_t		bytes = strlen(part);

	if (text->size + bytes > text->most)
		return;
	memcpy(text->data + text->size, part, bytes);
	text->size += bytes;
}

static const char *const values[] = {
	"0", "1", "-1", "2**53", "2**32 - 1", "2**31", "1e9", "NaN", "-0", "5e-324", "1n", "-(2n ** 64n)", "''", "'a'", "'\\ud800'", "'\\0'", "'x'.repeat(1e4)", "null",
	"undefined", "true", "[]", "{}", "[1, 2, 3]", "[,]", "new Array(1e5)", "/(a+)+b/g", "/(?<=(?<n>.))\\k<n>/dgiuy", "Symbol()", "Symbol.iterator", "new Date(0)", "$input", "$now", "$item",
	"globalThis", "this", "Object.prototype", "new Map([[1, 2]])", "new Set('ab')", "new WeakRef({})", "new Uint8Array(64)", "new Float64Array([1, NaN])", "new ArrayBuffer(8, {maxByteLength: 64})",
	"new DataView(new ArrayBuffer(8))", "new Proxy([], {})", "new Proxy(function () {}, Reflect)", "Promise.resolve(1)", "Promise.reject(1)", "new Error('e', {cause: 1})", "(function* () { yield* [1] })()",
	"async () => 1", "class { static #p = 1; static m() { return this.#p } }", "{valueOf() { a.length = 0; return 1 }}", "{toString() { a = []; return 'k' }}", "{get length() { a.pop?.(); return 2 ** 53 }}",
	"{[Symbol.toPrimitive]: f}", "{[Symbol.iterator]: f}", "{then: f}", "{length: 1e9}", "{toJSON: f}", "new (class extends Array { static get [Symbol.species]() { return f } })(3)", "new.target", "arguments",
	"'\\u{1f600}\\u0130\\u1e9e'", "{__proto__: null}", "Iterator", "JSON.parse('[1,{\"a\":[]}]')", "`${1}`", "10n ** 30n", "BigInt.asIntN(64, 1n)"
};
static const char *const methods[] = {
	"map", "filter", "reduce", "sort", "splice", "slice", "concat", "flat", "flatMap", "fill", "copyWithin", "reverse", "join", "indexOf", "lastIndexOf", "includes", "shift", "unshift", "push", "pop", "at", "with", "toSorted",
	"toSpliced", "entries", "keys", "values", "find", "findLast", "every", "some", "forEach", "replace", "replaceAll", "split", "match", "matchAll", "search", "padStart", "repeat", "normalize", "charCodeAt", "codePointAt",
	"localeCompare", "trim", "toUpperCase", "substring", "isWellFormed", "toString", "toLocaleString", "valueOf", "toFixed", "toPrecision", "call", "apply", "bind", "then", "catch", "finally", "next", "return", "throw", "get",
	"set", "add", "has", "delete", "clear", "exec", "test", "compile", "resize", "transfer", "subarray", "getFloat64", "setBigInt64", "setTime", "toISOString", "toJSON", "hasOwnProperty", "__defineGetter__", "constructor", "deref",
	"register", "description", "flags", "lastIndex", "stack", "__proto__", "length", "prototype", "buffer"
};
static const char *const statics[] = {
	"Object.defineProperty", "Object.assign", "Object.entries", "Object.fromEntries", "Object.setPrototypeOf", "Object.freeze", "Object.groupBy", "Reflect.construct", "Reflect.ownKeys", "Reflect.apply", "Reflect.set", "Array.from", "Array.of",
	"Array.prototype.splice.call", "Array.prototype.concat.call", "Array.prototype.sort.call", "String.fromCodePoint", "String.raw", "JSON.stringify", "JSON.parse", "Math.max", "Math.hypot", "Number.parseFloat", "BigInt", "BigInt.asUintN",
	"Promise.all", "Promise.race", "Promise.any", "Promise.allSettled", "Symbol.for", "Proxy.revocable", "new Proxy", "new Date", "new Map", "new Set", "new RegExp", "new Function", "eval", "(0, eval)", "console.log", "queueMicrotask", "structuredClone",
	"encodeURIComponent", "decodeURIComponent", "isNaN", "Uint8Array.from", "new Uint16Array", "new BigInt64Array", "Date.UTC", "Date.parse", "Error.captureStackTrace", "new AggregateError", "new FinalizationRegistry", "new WeakMap", "f", "a", "b"
};
static const char *const operators[] = {
	" + ", " - ", " * ", " / ", " % ", " ** ", " << ", " >>> ", " & ", " | ", " ^ ", " && ", " || ", " ?? ", " == ", " === ", " < ", " >= ", " in ", " instanceof ", ", ", " = ", " += ", " ?\?= "
};
static const char *const pieces[] = {
	"(", ")", "[", "]", "{", "}", "})", "(function () {", "`", "${", "'", "/", "/*", "//", "<!--", "-->", "#!", "\n", ";", "=>", "async ", "await ", "yield ", "new ", "delete ", "typeof ", "void ", "...", "?.", "#p", "@", "\\u0024input", "import('x')",
	"import.meta", "super", "with (a) ", "debugger;", "use strict", "label: ", "break label;", "continue;", "return ", "throw ", "let ", "const ", "class A extends a { constructor() { super() } }", "static {", "get a() {", "\xe2\x80\xa8", "\xc3\xa9",
	"0x", "1_0", "1e", "08", "$node", "$node.x", "$unknown", "$input?.a", "eval('$input')"
};

#define ONE_OF(list) (list)[below(lengthof(list))]

static void expression(Text *text);
static void statement(Text *text);

static void
arguments_of(Text *text)
{
	put(text, "(");
	for (size_t i = below(4); i > 0; i--)
	{
		expression(text);
		put(text, i > 1 ? ", " : "");
	}
	put(text, ")");
}

static void
body(Text *text)
{
	put(text, "{ ");
	for (size_t i = below(3); i > 0; i--)
		statement(text);
	put(text, "return ");
	expression(text);
	put(text, " }");
}

static void
expression(Text *text)
{
	if (++text->depth > 5)
		put(text, ONE_OF(values));
	else
		switch (below(12))
		{
			case 0:
			case 1:
				put(text, ONE_OF(values));
				break;
			case 2:
				put(text, below(2) == 0 ? "a" : below(2) == 0 ? "b" : "f");
				break;
			case 3:
			case 4:
			case 5:
				put(text, "(");
				expression(text);
				put(text, below(8) == 0 ? ")?." : ").");
				put(text, ONE_OF(methods));
				if (below(6) > 0)
					arguments_of(text);
				break;
			case 6:
				put(text, ONE_OF(statics));
				arguments_of(text);
				break;
			case 7:
				put(text, "(");
				expression(text);
				put(text, ONE_OF(operators));
				expression(text);
				put(text, ")");
				break;
			case 8:
				put(text, below(3) == 0 ? "(async (x, y) => " : "((x, y) => ");
				body(text);
				put(text, ")");
				break;
			case 9:
				put(text, below(2) == 0 ? "[..." : "[");
				expression(text);
				put(text, "]");
				break;
			case 10:
				put(text, below(2) == 0 ? "({get a() " : "({[Symbol.toPrimitive]() ");
				body(text);
				put(text, ", b: ");
				expression(text);
				put(text, "})");
				break;
			default:
				put(text, below(2) == 0 ? "(await " : "(!");
				expression(text);
				put(text, ")");
		}
	text->depth--;
}

static void
statement(Text *text)
{
	if (++text->depth > 5)
		put(text, ";");
	else
		switch (below(10))
		{
			case 0:
				put(text, "a = ");
				expression(text);
				break;
			case 1:
				put(text, "try { ");
				statement(text);
				put(text, "} catch (e) { b = e; ");
				statement(text);
				put(text, "} finally { ");
				statement(text);
				put(text, "}");
				break;
			case 2:
				put(text, "for (const x of ");
				expression(text);
				put(text, ") { ");
				statement(text);
				put(text, "}");
				break;
			case 3:
				put(text, "for (let i = 0; i < 50; i++) { ");
				statement(text);
				put(text, "}");
				break;
			case 4:
				put(text, "function g");
				put(text, below(2) == 0 ? "(x) " : "(...x) ");
				body(text);
				break;
			case 5:
				put(text, "const {a: c, ...d} = ");
				expression(text);
				break;
			case 6:
				put(text, "(");
				expression(text);
				put(text, ").k = ");
				expression(text);
				break;
			case 7:
				put(text, "if (");
				expression(text);
				put(text, ") throw ");
				expression(text);
				break;
			default:
				expression(text);
		}
	put(text, "; ");
	text->depth--;
}

static void
program(Text *text)
{
	static const char *const inputs[] = {"null", "[1, {\"a\": [2]}, \"x\"]", "{\"a\": {\"b\": [1e300, 12345678901234567890123]}, \"__proto__\": {\"p\": 1}}", "\"\\ud83d\\ude00\\u0001\"", "7"};

	put(text, ONE_OF(inputs));
	put(text, "\nlet a = ");
	expression(text);
	put(text, ", b = ");
	expression(text);
	put(text, "; function f(x) ");
	body(text);
	put(text, "; ");
	for (size_t i = 1 + below(5); i > 0; i--)
		statement(text);
	put(text, "return ");
	expression(text);
}

static bool
is_of_word(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c >= 128;
}

/* From a random place on: a word, a byte, or all up to the bracket that closes. */
static void
choose(const uint8_t *data, size_t size, size_t *from, size_t *to)
{
	size_t		at = below(size);

	*from = at;
	if (data[at] == '(' || data[at] == '[' || data[at] == '{')
	{
		int			depth = 0;

		for (; at < size; at++)
		{
			depth += data[at] == '(' || data[at] == '[' || data[at] == '{';
			depth -= data[at] == ')' || data[at] == ']' || data[at] == '}';
			if (depth == 0)
				break;
		}
		*to = Min(at + 1, size);
		return;
	}
	while (*from > 0 && is_of_word(data[at]) && is_of_word(data[*from - 1]))
		--*from;
	while (at < size && is_of_word(data[at]))
		at++;
	*to = at == *from || !is_of_word(data[*from]) ? *from + 1 : at;
}

static size_t
change(uint8_t *data, size_t size, size_t most)
{
	char		part[4000];
	Text		text = {.data = part, .most = sizeof(part)};
	size_t		from;
	size_t		to;

	choose(data, size, &from, &to);
	switch (below(6))
	{
		case 0:
			break;
		case 1:
			put(&text, ONE_OF(pieces));
			to = from;
			break;
		case 2:
			put(&text, ONE_OF(values));
			break;
		case 3:
			expression(&text);
			break;
		case 4:
			put(&text, below(2) == 0 ? ONE_OF(methods) : ONE_OF(statics));
			break;
		default:
			{
				size_t		other_from;
				size_t		other_to;

				choose(data, size, &other_from, &other_to);
				text.size = Min(other_to - other_from, sizeof(part));
				memcpy(part, data + other_from, text.size);
				if (below(2) == 0)
					to = from;
			}
	}
	if (size - (to - from) + text.size > most)
		return size;
	memmove(data + from + text.size, data + to, size - to);
	memcpy(data + from, part, text.size);
	return size - (to - from) + text.size;
}

/* As LLVMFuzzerCustomMutator. */
size_t
wf_fuzz_change_program(uint8_t *data, size_t size, size_t most, unsigned int seed)
{
	pg_prng_seed(&rng, seed);
	if (size == 0 || below(5) == 0)
	{
		Text		text = {.data = (char *) data, .most = most};

		program(&text);
		return text.size;
	}
	if (below(10) == 0)
		return LLVMFuzzerMutate(data, size, most);
	for (size_t i = 1 + below(4); i > 0 && size > 0; i--)
		size = change(data, size, most);
	return size;
}
