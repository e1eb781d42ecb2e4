/*
 * pii.c: tokens in the place of personal data, and the way back.
 *
 * 1. What is at a marked path is one value with one token, whatever it is. Its strings and numbers are known from then on.
 * 2. Wherever else a known string or number turns up, as a whole, within a string, or as the name of a member, it gets a
 *    token as well. Equal values of a segment have one token.
 * 3. A text that looks as if it had a token gets one as a whole: so nobody, by what he gives a run, has it told what its other tokens
 *    stand for.
 * 4. On the way back a string that is one token becomes the value, of whatever type; one that has tokens in it gets texts.
 *    A value that was erased since is told so.
 */
#include "postgres.h"

#include "base/pii.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define OPEN "\x02pii:"
#define OPEN_BYTES 5
#define CLOSE '\x03'

/* A value by the hash of its bytes. */
typedef struct Taken
{
	uint64		hash;
	int			number;
} Taken;

struct WfPii
{
	MemoryContext memory;
	int			segment;
	WfPiiKnown *known;
	HTAB	   *taken;			/* Taken; NULL until the first */
	List	   *values;			/* Jsonb *, by number - 1 */
	Size		bytes;			/* of these */
};

WfPii *
wf_pii_begin(int segment)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow personal data", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	WfPii	   *pii = palloc0(sizeof(WfPii));

	pii->memory = memory;
	pii->segment = segment;
	pii->known = wf_pii_known_make();
	MemoryContextSwitchTo(old);
	return pii;
}

/* -- learning -- */

static void
learn_at(WfPii *pii, const WfPiiPaths *paths, WfPiiPlace place, const JsonbValue *value)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	member;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (place == NULL)
		return;
	if (wf_pii_place_is_marked(paths, place))
	{
		wf_pii_known_add(pii->known, value);
		return;
	}
	if (value->type != jbvBinary)
		return;
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		WfPiiPlace	next = it.is_object ? wf_pii_place_member(paths, place, key.val.string.val, key.val.string.len) :
			wf_pii_place_element(paths, place, it.index - 1);

		if (next == NULL)
			continue;
		learn_at(pii, paths, next, &member);
		pfree(next);
	}
}

void
wf_pii_learn(WfPii *pii, const WfPiiPaths *paths, const JsonbValue *value)
{
	learn_at(pii, paths, wf_pii_place_root(paths), value);
}

void
wf_pii_learn_all(WfPii *pii, const Jsonb *values)
{
	JsonbValue	root;

	if (values == NULL)
		return;
	wf_json_root(values, &root);
	wf_pii_known_add(pii->known, &root);
}

Jsonb *
wf_pii_known(const WfPii *pii, int most)
{
	return wf_pii_known_values(pii->known, most);
}

/* -- hiding -- */

/* The number of a value's token. */
static int
number_of(WfPii *pii, const JsonbValue *value)
{
	MemoryContext old = MemoryContextSwitchTo(pii->memory);
	Jsonb	   *copy = wf_json_copy(value);
	uint64		hash = hash_bytes_extended((const unsigned char *) VARDATA(copy), VARSIZE(copy) - VARHDRSZ, 0);
	Taken	   *taken;
	bool		found;

	if (pii->taken == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(Taken), .hcxt = pii->memory};

		pii->taken = hash_create("workflow personal values", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	taken = hash_search(pii->taken, &hash, HASH_ENTER, &found);
	if (found)
	{
		const Jsonb *other = list_nth(pii->values, taken->number - 1);

		found = VARSIZE(other) == VARSIZE(copy) && memcmp(other, copy, VARSIZE(copy)) == 0;
	}
	if (found)
		pfree(copy);
	else
	{
		pii->values = lappend(pii->values, copy);
		pii->bytes += VARSIZE(copy);
		taken->number = list_length(pii->values);
	}
	MemoryContextSwitchTo(old);
	return taken->number;
}

static void
append_token(WfPii *pii, StringInfo out, const JsonbValue *value)
{
	appendStringInfo(out, OPEN "%d.%d%c", pii->segment, number_of(pii, value), CLOSE);
}

static void
put_token(WfPii *pii, WfJsonWriter *w, const JsonbValue *value)
{
	StringInfoData token;

	initStringInfo(&token);
	append_token(pii, &token, value);
	wf_json_put_string(w, token.data, token.len);
	pfree(token.data);
}

/* The text with tokens for what is known of it; false: nothing is. */
static bool
hide_within(WfPii *pii, const char *text, int len, StringInfo out)
{
	int			at = 0;
	int			begin;
	int			end;
	JsonbValue	part;

	if (!wf_pii_known_find(pii->known, text, len, 0, &begin, &end))
		return false;
	initStringInfo(out);
	do
	{
		appendBinaryStringInfo(out, text + at, begin - at);
		wf_json_set_string(&part, text + begin, end - begin);
		append_token(pii, out, &part);
		at = end;
	} while (wf_pii_known_find(pii->known, text, len, at, &begin, &end));
	appendBinaryStringInfo(out, text + at, len - at);
	return true;
}

/* As a whole? */
static bool
must_hide(WfPii *pii, const char *text, int len)
{
	return wf_pii_has_token(text, len) || wf_pii_known_has(pii->known, text, len);
}

static void
hide_string(WfPii *pii, const JsonbValue *value, WfJsonWriter *w)
{
	StringInfoData text;

	if (must_hide(pii, value->val.string.val, value->val.string.len))
		put_token(pii, w, value);
	else if (hide_within(pii, value->val.string.val, value->val.string.len, &text))
	{
		wf_json_put_string(w, text.data, text.len);
		pfree(text.data);
	}
	else
		wf_json_put(w, value);
}

static void
hide_number(WfPii *pii, const JsonbValue *value, WfJsonWriter *w)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	int			begin;
	int			end;

	if (wf_pii_known_find(pii->known, text, strlen(text), 0, &begin, &end))
		put_token(pii, w, value);
	else
		wf_json_put(w, value);
	pfree(text);
}

static void
hide_key(WfPii *pii, const JsonbValue *key, WfJsonWriter *w)
{
	StringInfoData text;

	if (wf_pii_has_token(key->val.string.val, key->val.string.len))
	{
		initStringInfo(&text);
		append_token(pii, &text, key);
	}
	else if (!hide_within(pii, key->val.string.val, key->val.string.len, &text))
	{
		wf_json_key(w, key->val.string.val, key->val.string.len);
		return;
	}
	wf_json_key(w, text.data, text.len);
	pfree(text.data);
}

static void
hide_at(WfPii *pii, const WfPiiPaths *paths, WfPiiPlace place, const JsonbValue *value, WfJsonWriter *w)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	member;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (wf_pii_place_is_marked(paths, place) && value->type != jbvNull)
		put_token(pii, w, value);
	else if (value->type == jbvString)
		hide_string(pii, value, w);
	else if (value->type == jbvNumeric)
		hide_number(pii, value, w);
	else if (value->type != jbvBinary)
		wf_json_put(w, value);
	else
	{
		wf_json_iter_begin(&it, value);
		if (it.is_object)
			wf_json_begin_object(w);
		else
			wf_json_begin_array(w);
		while (wf_json_iter_next(&it, &key, &member))
		{
			WfPiiPlace	next = it.is_object ? wf_pii_place_member(paths, place, key.val.string.val, key.val.string.len) :
				wf_pii_place_element(paths, place, it.index - 1);

			if (it.is_object)
				hide_key(pii, &key, w);
			hide_at(pii, paths, next, &member, w);
			if (next != NULL)
				pfree(next);
		}
		if (it.is_object)
			wf_json_end_object(w);
		else
			wf_json_end_array(w);
	}
}

Jsonb *
wf_pii_hide(WfPii *pii, const WfPiiPaths *paths, const JsonbValue *value)
{
	WfJsonWriter *w = wf_json_writer_begin();

	hide_at(pii, paths, wf_pii_place_root(paths), value, w);
	return wf_json_finish(w);
}

char *
wf_pii_hide_text(WfPii *pii, const char *text)
{
	StringInfoData out;
	JsonbValue	value;

	if (must_hide(pii, text, strlen(text)))
	{
		wf_json_set_string(&value, text, strlen(text));
		initStringInfo(&out);
		append_token(pii, &out, &value);
		return out.data;
	}
	return hide_within(pii, text, strlen(text), &out) ? out.data : pstrdup(text);
}

Size
wf_pii_bytes(const WfPii *pii)
{
	return pii == NULL ? 0 : pii->bytes;
}

Jsonb *
wf_pii_values(const WfPii *pii)
{
	WfJsonWriter *w;
	ListCell   *cell;
	char		number[16];
	int			n = 0;

	if (pii->values == NIL)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	foreach(cell, pii->values)
	{
		int			len = snprintf(number, sizeof(number), "%d", ++n);

		wf_json_key(w, number, len);
		wf_json_put_jsonb(w, lfirst(cell));
	}
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- showing -- */

bool
wf_pii_has_token(const char *bytes, Size len)
{
	return memmem(bytes, len, OPEN, OPEN_BYTES) != NULL;
}

/* The first token from byte `from` on. */
typedef struct Token
{
	int			begin;
	int			end;
	int			segment;
	int			number;
} Token;

static bool
read_digits(const char *text, int len, int *at, int *out)
{
	int64		n = 0;
	int			begin = *at;

	while (*at < len && *at - begin < 10 && text[*at] >= '0' && text[*at] <= '9')
		n = n * 10 + (text[(*at)++] - '0');
	*out = n > PG_INT32_MAX ? 0 : (int) n;
	return *at > begin;
}

static bool
next_token(const char *text, int len, int from, Token *token)
{
	while (from < len)
	{
		const char *found = memmem(text + from, len - from, OPEN, OPEN_BYTES);
		int			at;

		if (found == NULL)
			return false;
		token->begin = found - text;
		from = at = token->begin + OPEN_BYTES;
		if (!read_digits(text, len, &at, &token->segment) || at >= len || text[at] != '.')
			continue;
		at++;
		if (!read_digits(text, len, &at, &token->number) || at >= len || text[at] != CLOSE)
			continue;
		token->end = at + 1;
		return true;
	}
	return false;
}

/* What a token stands for, or says instead. */
static void
value_of(const Token *token, WfPiiLookUp look_up, void *arg, JsonbValue *out)
{
	const Jsonb *values;
	JsonbValue	root;
	char		number[16];
	int			len = snprintf(number, sizeof(number), "%d", token->number);

	wf_json_set_string(out, WF_PII_MASK, strlen(WF_PII_MASK));
	if (look_up == NULL)
		return;
	values = look_up(token->segment, arg);
	if (values != NULL)
		wf_json_root(values, &root);
	if (values == NULL || !wf_json_get(&root, number, len, out))
		wf_json_set_string(out, WF_PII_ERASED, strlen(WF_PII_ERASED));
}

static void
show_within(const char *text, int len, const Token *first, WfPiiLookUp look_up, void *arg, StringInfo out)
{
	Token		token = *first;
	JsonbValue	value;
	int			at = 0;

	initStringInfo(out);
	do
	{
		appendBinaryStringInfo(out, text + at, token.begin - at);
		value_of(&token, look_up, arg, &value);
		if (value.type == jbvString)
			appendBinaryStringInfo(out, value.val.string.val, value.val.string.len);
		else
			appendStringInfoString(out, wf_json_text(&value));
		at = token.end;
	} while (next_token(text, len, at, &token));
	appendBinaryStringInfo(out, text + at, len - at);
}

typedef struct Shower
{
	WfPiiLookUp look_up;
	void	   *arg;
} Shower;

static void
show_key(WfJsonWriter *w, const JsonbValue *key, void *arg)
{
	const Shower *shower = arg;
	Token		token;
	StringInfoData out;

	if (!next_token(key->val.string.val, key->val.string.len, 0, &token))
	{
		wf_json_key(w, key->val.string.val, key->val.string.len);
		return;
	}
	show_within(key->val.string.val, key->val.string.len, &token, shower->look_up, shower->arg, &out);
	wf_json_key(w, out.data, out.len);
}

static void
show_scalar(WfJsonWriter *w, const JsonbValue *value, void *arg)
{
	const Shower *shower = arg;
	Token		token;
	JsonbValue	shown;
	StringInfoData out;

	CHECK_FOR_INTERRUPTS();
	if (value->type != jbvString || !next_token(value->val.string.val, value->val.string.len, 0, &token))
		wf_json_put(w, value);
	else if (token.begin == 0 && token.end == value->val.string.len)
	{
		value_of(&token, shower->look_up, shower->arg, &shown);
		wf_json_put(w, &shown);
	}
	else
	{
		show_within(value->val.string.val, value->val.string.len, &token, shower->look_up, shower->arg, &out);
		wf_json_put_string(w, out.data, out.len);
		pfree(out.data);
	}
}

Jsonb *
wf_pii_show(const JsonbValue *value, WfPiiLookUp look_up, void *arg)
{
	WfJsonWriter *w = wf_json_writer_begin();
	Shower		shower = {look_up, arg};

	wf_json_put_mapped(w, value, show_key, show_scalar, &shower);
	return wf_json_finish(w);
}

char *
wf_pii_show_text(const char *text, int len, WfPiiLookUp look_up, void *arg)
{
	Token		token;
	StringInfoData out;

	if (!next_token(text, len, 0, &token))
		return pnstrdup(text, len);
	show_within(text, len, &token, look_up, arg, &out);
	return out.data;
}
