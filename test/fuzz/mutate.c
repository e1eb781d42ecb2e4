/*
 * mutate.c: changes JSON documents as JSON, for libFuzzer.
 *
 * Bytes changed at random seldom leave a JSON document whole, so most of such inputs end in the JSON
 * parser. Here a document is split into its tokens, values found by their brackets, and one change is
 * made: a value is removed, doubled, swapped with or replaced by another of the same document, or
 * replaced by one of a list of awkward ones; a string gets bytes in it. Every tenth input, and what is
 * no JSON, is left to libFuzzer's own changes of bytes, which know its dictionary.
 *
 * Works on bytes alone and with malloc's memory: libFuzzer calls it outside of any input.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "fuzz.h"

extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
PGDLLEXPORT size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#define MOST_VALUES 4096
#define MOST_DEPTH	256

typedef struct Span
{
	size_t		from;
	size_t		to;
} Span;

static const char *const awkward[] = {
	"null", "true", "false", "0", "-1", "1", "1e400", "0.1", "9007199254740993", "2147483648", "-9223372036854775809", "1e-130000",
	"\"\"", "\"a\"", "\"out\"", "\"error\"", "\"{{ $input }}\"", "\"{{ $item }}\"", "\"{{ $input.items }}\"", "\"{{ 1/0 }}\"",
	"\"{{ null.x }}\"", "\"{{ $input.nums }}\"", "\"\\u0000\"", "\"\\ud83d\\ude00\"", "[]", "{}", "[[]]", "[null]", "[1, \"a\", null]",
	"{\"a\": 1}", "{\"$ref\": \"#\"}", "{\"$expr\": \"qty\"}", "{\"$inc\": 1}", "{\"$col\": \"id\"}", "{\"eq\": null}", "{\"in\": []}",
	"{\"not\": {}}", "{\"or\": []}", "\"5 minutes\"", "\"PT1S\"", "\"id\"", "\"sku\"", "\"doc.a.b\"",
	"{\"type\": \"string\"}", "{\"maxAttempts\": 3, \"initialDelay\": 0}", "\"continue\"", "\"retry\"", "\"route\""
};

static pg_prng_state rng;

static size_t
below(size_t n)
{
	return n == 0 ? 0 : (size_t) (pg_prng_uint64(&rng) % n);
}

/* Finds every value (and key) of the text; false when brackets or quotes do not match. */
static int
find_values(const uint8_t *data, size_t size, Span *spans)
{
	size_t		open[MOST_DEPTH];
	int			depth = 0;
	int			n = 0;

	for (size_t i = 0; i < size && n < MOST_VALUES;)
	{
		size_t		from = i;
		uint8_t		c = data[i];

		if (c == '[' || c == '{')
		{
			if (depth == MOST_DEPTH)
				return 0;
			open[depth++] = i++;
		}
		else if (c == ']' || c == '}')
		{
			if (depth == 0)
				return 0;
			spans[n++] = (Span) {open[--depth], ++i};
		}
		else if (c == '"')
		{
			for (i++; i < size && data[i] != '"'; i++)
				if (data[i] == '\\')
					i++;
			if (i >= size)
				return 0;
			spans[n++] = (Span) {from, ++i};
		}
		else if (c == ',' || c == ':' || c == ' ' || c == '\n' || c == '\t' || c == '\r')
			i++;
		else
		{
			while (i < size && strchr(",:]}[{\" \n\t\r", data[i]) == NULL)
				i++;
			if (i == from)
				return 0;
			spans[n++] = (Span) {from, i};
		}
	}
	return depth == 0 ? n : 0;
}

/* Puts `text` in the place of `at`; the size is unchanged when there is no room. */
static size_t
replace(uint8_t *data, size_t size, size_t max_size, Span at, const uint8_t *text, size_t len)
{
	if (size - (at.to - at.from) + len > max_size)
		return size;
	memmove(data + at.from + len, data + at.to, size - at.to);
	memcpy(data + at.from, text, len);
	return size - (at.to - at.from) + len;
}

/* Removes a value with its key and one comma beside it. */
static size_t
drop(uint8_t *data, size_t size, Span at)
{
	size_t		from = at.from;
	size_t		to = at.to;

	while (from > 0 && strchr(" \n\t", data[from - 1]) != NULL)
		from--;
	if (from > 0 && data[from - 1] == ':')
	{
		while (--from > 0 && data[from] != '"');
		while (from > 0 && data[from - 1] != '"')
			from--;
		from = from > 0 ? from - 1 : 0;
	}
	while (to < size && strchr(" \n\t", data[to]) != NULL)
		to++;
	if (to < size && data[to] == ',')
		to++;
	else if (from > 0)
		for (size_t i = from; i > 0 && (strchr(" \n\t", data[i - 1]) != NULL || data[i - 1] == ','); i--)
			if (data[i - 1] == ',')
			{
				from = i - 1;
				break;
			}
	memmove(data + from, data + to, size - to);
	return size - (to - from);
}

static size_t
change_once(uint8_t *data, size_t size, size_t max_size, Span *spans, int n)
{
	Span		at = spans[below(n)];
	Span		other = spans[below(n)];
	uint8_t	   *copy = malloc(max_size + 16);
	size_t		len = other.to - other.from;
	const char *value = awkward[below(lengthof(awkward))];

	memcpy(copy, data + other.from, len);
	switch (below(6))
	{
		case 0:
			size = drop(data, size, at);
			break;
		case 1:
			size = replace(data, size, max_size, at, copy, len);
			break;
		case 2:					/* doubled: only within an array does it stay what it was */
			if (len + 1 <= max_size)
			{
				copy[len] = ',';
				size = replace(data, size, max_size, (Span) {other.from, other.from}, copy, len + 1);
			}
			break;
		case 3:
			if (data[at.from] == '"' && at.to - at.from >= 2)
			{
				len = at.to - at.from - 2;
				memcpy(copy, data + at.from + 1, len);
				len = LLVMFuzzerMutate(copy, len, Min(len + 16, max_size));
				for (size_t i = 0; i < len; i++)
					if (copy[i] == '"' || copy[i] < ' ')
						copy[i] = '\'';
				size = replace(data, size, max_size, (Span) {at.from + 1, at.to - 1}, copy, len);
				break;
			}
			/* FALLTHROUGH */
		default:
			size = replace(data, size, max_size, at, (const uint8_t *) value, strlen(value));
			break;
	}
	free(copy);
	return size;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	Span	   *spans;
	int			changes;

	if (wf_fuzz_wants_programs())
		return wf_fuzz_change_program(data, size, max_size, seed);
	pg_prng_seed(&rng, seed);
	changes = 1 + (int) below(3);
	if (!wf_fuzz_wants_json() || below(10) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	spans = malloc(sizeof(Span) * (MOST_VALUES + 1));
	while (changes-- > 0)
	{
		int			n = find_values(data, size, spans);

		if (n == 0)
		{
			size = LLVMFuzzerMutate(data, size, max_size);
			break;
		}
		size = change_once(data, size, max_size, spans, n);
	}
	free(spans);
	return size;
}
