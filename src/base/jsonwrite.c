/*
 * jsonwrite.c: building one Jsonb, copying each byte once.
 *
 * PostgreSQL's own pushJsonbValue takes a nested container apart and puts it together again; a node's
 * output that is carried into another object, or a list of a hundred thousand rows, would be rebuilt
 * at each step. The writer here keeps such containers whole and copies their bytes.
 *
 * While building there is a stack of open containers, each with a growing array of children; closing
 * one makes it a child (a jbvObject or jbvArray tree) of the one around it. wf_json_finish then
 * writes the tree out, reserving the header of a container before its children, as
 * utils/adt/jsonb_util.c does.
 */
#include "postgres.h"

#include "base/json.h"
#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

typedef struct Level
{
	bool		is_object;
	int			n;
	int			size;
	JsonbPair  *pairs;			/* objects; the value of the last may still be missing */
	JsonbValue *elems;			/* arrays */
} Level;

struct WfJsonWriter
{
	MemoryContext memory;
	int			depth;			/* open containers */
	int			max_depth;
	Level	   *levels;			/* at first those within */
	bool		has_root;
	JsonbValue	root;
	Level		within[4];
};

#define INITIAL_CHILDREN 8

static void write_value(StringInfo buffer, JEntry *entry, const JsonbValue *value);

WfJsonWriter *
wf_json_writer_begin(void)
{
	WfJsonWriter *w = palloc(sizeof(WfJsonWriter));

	w->memory = CurrentMemoryContext;
	w->depth = 0;
	w->max_depth = lengthof(w->within);
	w->levels = w->within;
	w->has_root = false;
	return w;
}

/* Doubles an array of children; palloc's own limit (1 GB) throws 54000 beyond. */
static void
grow(WfJsonWriter *w, Level *level)
{
	Size		width = level->is_object ? sizeof(JsonbPair) : sizeof(JsonbValue);
	void	   *old = level->is_object ? (void *) level->pairs : (void *) level->elems;
	void	   *children;

	if ((Size) level->size * 2 * width >= MaxAllocHugeSize || level->size > JB_CMASK / 2)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("JSON value has too many elements")));
	children = repalloc_huge(old, (Size) level->size * 2 * width);
	level->size *= 2;
	if (level->is_object)
		level->pairs = children;
	else
		level->elems = children;
}

/* Places a value: as the root, the next element, or the value of the last key. */
static void
place(WfJsonWriter *w, const JsonbValue *value)
{
	Level	   *level;

	if (w->depth == 0)
	{
		Assert(!w->has_root);
		w->root = *value;
		w->has_root = true;
		return;
	}
	level = &w->levels[w->depth - 1];
	if (level->is_object)
	{
		Assert(level->n > 0);
		level->pairs[level->n - 1].value = *value;
		return;
	}
	if (level->n >= level->size)
		grow(w, level);
	level->elems[level->n++] = *value;
}

static void
deepen(WfJsonWriter *w)
{
	Level	   *levels = MemoryContextAlloc(w->memory, sizeof(Level) * w->max_depth * 2);

	memcpy(levels, w->levels, sizeof(Level) * w->max_depth);
	if (w->levels != w->within)
		pfree(w->levels);
	w->levels = levels;
	w->max_depth *= 2;
}

static void
open_level(WfJsonWriter *w, bool is_object)
{
	Level	   *level;

	if (w->depth >= w->max_depth)
		deepen(w);
	level = &w->levels[w->depth++];
	level->is_object = is_object;
	level->n = 0;
	level->size = INITIAL_CHILDREN;
	level->pairs = NULL;
	level->elems = NULL;
	if (is_object)
		level->pairs = MemoryContextAlloc(w->memory, sizeof(JsonbPair) * level->size);
	else
		level->elems = MemoryContextAlloc(w->memory, sizeof(JsonbValue) * level->size);
}

void
wf_json_begin_object(WfJsonWriter *w)
{
	open_level(w, true);
}

void
wf_json_begin_array(WfJsonWriter *w)
{
	open_level(w, false);
}

/* jsonb's order of keys: by length, then bytes; equal keys in order of arrival. */
static int
compare_pairs(const void *a, const void *b)
{
	const JsonbPair *left = a;
	const JsonbPair *right = b;
	int			result;

	if (left->key.val.string.len != right->key.val.string.len)
		return left->key.val.string.len > right->key.val.string.len ? 1 : -1;
	result = memcmp(left->key.val.string.val, right->key.val.string.val, left->key.val.string.len);
	if (result != 0)
		return result;
	return left->order > right->order ? 1 : -1;
}

static bool
same_key(const JsonbPair *a, const JsonbPair *b)
{
	return a->key.val.string.len == b->key.val.string.len &&
		memcmp(a->key.val.string.val, b->key.val.string.val, a->key.val.string.len) == 0;
}

/* Sorts the pairs and keeps the last of each key. */
static int
sort_pairs(JsonbPair *pairs, int n)
{
	int			kept = 0;
	bool		sorted = true;

	for (int i = 1; i < n && sorted; i++)
		sorted = compare_pairs(&pairs[i - 1], &pairs[i]) < 0 && !same_key(&pairs[i - 1], &pairs[i]);
	if (sorted)
		return n;
	qsort(pairs, n, sizeof(JsonbPair), compare_pairs);
	for (int i = 0; i < n; i++)
	{
		if (i + 1 < n && same_key(&pairs[i], &pairs[i + 1]))
			continue;
		pairs[kept++] = pairs[i];
	}
	return kept;
}

static void
close_level(WfJsonWriter *w, bool is_object)
{
	Level	   *level = &w->levels[w->depth - 1];
	JsonbValue	value;

	if (w->depth == 0 || level->is_object != is_object)
		elog(ERROR, "unbalanced JSON writer");
	if (is_object)
	{
		value.type = jbvObject;
		value.val.object.nPairs = sort_pairs(level->pairs, level->n);
		value.val.object.pairs = level->pairs;
	}
	else
	{
		value.type = jbvArray;
		value.val.array.nElems = level->n;
		value.val.array.elems = level->elems;
		value.val.array.rawScalar = false;
	}
	w->depth--;
	place(w, &value);
}

void
wf_json_end_object(WfJsonWriter *w)
{
	close_level(w, true);
}

void
wf_json_end_array(WfJsonWriter *w)
{
	close_level(w, false);
}

static char *
copy_bytes(WfJsonWriter *w, const char *bytes, int len)
{
	char	   *copy = MemoryContextAllocHuge(w->memory, len + 1);

	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

void
wf_json_key(WfJsonWriter *w, const char *key, int key_len)
{
	Level	   *level = &w->levels[w->depth - 1];
	JsonbPair  *pair;

	if (w->depth == 0 || !level->is_object)
		elog(ERROR, "JSON writer: a key outside an object");
	if (level->n >= level->size)
		grow(w, level);
	pair = &level->pairs[level->n];
	pair->key.type = jbvString;
	pair->key.val.string.val = copy_bytes(w, key, key_len);
	pair->key.val.string.len = key_len;
	pair->value.type = jbvNull;
	pair->order = level->n++;
}

void
wf_json_put(WfJsonWriter *w, const JsonbValue *value)
{
	if (value->type == jbvBinary && JsonContainerIsScalar(value->val.binary.data))
	{
		JsonbValue	scalar;

		(void) wf_json_element(value, 0, &scalar);
		place(w, &scalar);
		return;
	}
	place(w, value);
}

void
wf_json_put_jsonb(WfJsonWriter *w, const Jsonb *value)
{
	JsonbValue	root;

	wf_json_root(value, &root);
	place(w, &root);
}

void
wf_json_put_string(WfJsonWriter *w, const char *value, int len)
{
	JsonbValue	string;

	string.type = jbvString;
	string.val.string.val = copy_bytes(w, value, len);
	string.val.string.len = len;
	place(w, &string);
}

void
wf_json_put_cstring(WfJsonWriter *w, const char *value)
{
	if (value == NULL)
		wf_json_put_null(w);
	else
		wf_json_put_string(w, value, strlen(value));
}

void
wf_json_put_int64(WfJsonWriter *w, int64 value)
{
	JsonbValue	number;
	MemoryContext old = MemoryContextSwitchTo(w->memory);

	wf_json_set_int64(&number, value);
	MemoryContextSwitchTo(old);
	place(w, &number);
}

void
wf_json_put_bool(WfJsonWriter *w, bool value)
{
	JsonbValue	boolean;

	wf_json_set_bool(&boolean, value);
	place(w, &boolean);
}

void
wf_json_put_null(WfJsonWriter *w)
{
	JsonbValue	null;

	wf_json_set_null(&null);
	place(w, &null);
}

void
wf_json_put_member(WfJsonWriter *w, const char *key, const Jsonb *value)
{
	if (value == NULL)
		return;
	wf_json_key(w, key, strlen(key));
	wf_json_put_jsonb(w, value);
}

static bool
is_among(const JsonbValue *key, const char *const *names)
{
	for (; names != NULL && *names != NULL; names++)
		if (strlen(*names) == key->val.string.len && memcmp(*names, key->val.string.val, key->val.string.len) == 0)
			return true;
	return false;
}

void
wf_json_put_members(WfJsonWriter *w, const JsonbValue *object, const char *const *without)
{
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	if (!wf_json_is_object(object))
		return;
	wf_json_iter_begin(&it, object);
	while (wf_json_iter_next(&it, &key, &value))
	{
		if (is_among(&key, without))
			continue;
		wf_json_key(w, key.val.string.val, key.val.string.len);
		wf_json_put(w, &value);
	}
}

void
wf_json_put_mapped(WfJsonWriter *w, const JsonbValue *value, WfJsonPut put_key, WfJsonPut put_scalar, void *arg)
{
	JsonbValue	key;
	JsonbValue	member;
	WfJsonIter	it;

	check_stack_depth();
	if (value->type != jbvBinary)
	{
		put_scalar(w, value, arg);
		return;
	}
	wf_json_iter_begin(&it, value);
	if (it.is_object)
		wf_json_begin_object(w);
	else
		wf_json_begin_array(w);
	while (wf_json_iter_next(&it, &key, &member))
	{
		if (it.is_object)
			put_key(w, &key, arg);
		wf_json_put_mapped(w, &member, put_key, put_scalar, arg);
	}
	if (it.is_object)
		wf_json_end_object(w);
	else
		wf_json_end_array(w);
}

/* -- writing out -- */

static int
reserve(StringInfo buffer, int len)
{
	int			offset = buffer->len;

	enlargeStringInfo(buffer, len);
	buffer->len += len;
	buffer->data[buffer->len] = '\0';
	return offset;
}

static void
append_bytes(StringInfo buffer, const void *bytes, int len)
{
	int			offset = reserve(buffer, len);

	memcpy(buffer->data + offset, bytes, len);
}

/* Aligns to 4 bytes; returns how many were added. */
static int
pad(StringInfo buffer)
{
	int			padding = INTALIGN(buffer->len) - buffer->len;
	int			offset = reserve(buffer, padding);

	memset(buffer->data + offset, 0, padding);
	return padding;
}

static void
check_length(Size length)
{
	if (length > JENTRY_OFFLENMASK)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("total size of a JSON container exceeds the maximum of %u bytes", JENTRY_OFFLENMASK)));
}

/* One child: its data is appended, its entry (length, or offset each JB_OFFSET_STRIDE) stored. */
static void
write_child(StringInfo buffer, int *entry_offset, int index, Size *total, const JsonbValue *value)
{
	JEntry		entry;
	Size		before = buffer->len;

	write_value(buffer, &entry, value);
	*total += buffer->len - before;
	check_length(*total);
	if (index % JB_OFFSET_STRIDE == 0)
		entry = (entry & JENTRY_TYPEMASK) | (uint32) *total | JENTRY_HAS_OFF;
	memcpy(buffer->data + *entry_offset, &entry, sizeof(JEntry));
	*entry_offset += sizeof(JEntry);
}

static void
write_array(StringInfo buffer, const JsonbValue *value)
{
	int			n = value->val.array.nElems;
	uint32		header = n | JB_FARRAY | (value->val.array.rawScalar ? JB_FSCALAR : 0);
	int			entries;
	Size		total = 0;

	append_bytes(buffer, &header, sizeof(header));
	check_length(sizeof(JEntry) * (Size) n);
	entries = reserve(buffer, sizeof(JEntry) * n);
	for (int i = 0; i < n; i++)
		write_child(buffer, &entries, i, &total, &value->val.array.elems[i]);
}

static void
write_object(StringInfo buffer, const JsonbValue *value)
{
	int			n = value->val.object.nPairs;
	uint32		header = n | JB_FOBJECT;
	int			entries;
	Size		total = 0;

	append_bytes(buffer, &header, sizeof(header));
	check_length(sizeof(JEntry) * (Size) n * 2);
	entries = reserve(buffer, sizeof(JEntry) * n * 2);
	for (int i = 0; i < n; i++)
		write_child(buffer, &entries, i, &total, &value->val.object.pairs[i].key);
	for (int i = 0; i < n; i++)
		write_child(buffer, &entries, i + n, &total, &value->val.object.pairs[i].value);
}

static void
write_value(StringInfo buffer, JEntry *entry, const JsonbValue *value)
{
	int			start = buffer->len;

	check_stack_depth();
	switch (value->type)
	{
		case jbvNull:
			*entry = JENTRY_ISNULL;
			return;
		case jbvBool:
			*entry = value->val.boolean ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE;
			return;
		case jbvString:
			append_bytes(buffer, value->val.string.val, value->val.string.len);
			*entry = JENTRY_ISSTRING;
			break;
		case jbvNumeric:
			pad(buffer);
			append_bytes(buffer, value->val.numeric, VARSIZE_ANY(value->val.numeric));
			*entry = JENTRY_ISNUMERIC;
			break;
		case jbvBinary:
			pad(buffer);
			append_bytes(buffer, value->val.binary.data, value->val.binary.len);
			*entry = JENTRY_ISCONTAINER;
			break;
		case jbvArray:
			pad(buffer);
			write_array(buffer, value);
			*entry = JENTRY_ISCONTAINER;
			break;
		case jbvObject:
			pad(buffer);
			write_object(buffer, value);
			*entry = JENTRY_ISCONTAINER;
			break;
		default:
			elog(ERROR, "JSON value of unexpected type %d", (int) value->type);
	}
	check_length(buffer->len - start);
	*entry |= buffer->len - start;
}

Jsonb *
wf_json_copy(const JsonbValue *value)
{
	StringInfoData buffer;
	JEntry		entry;
	JsonbValue	scalar;
	JsonbValue	wrapped;

	if (value->type == jbvBinary)
	{
		Jsonb	   *copy = palloc(VARHDRSZ + value->val.binary.len);

		SET_VARSIZE(copy, VARHDRSZ + value->val.binary.len);
		memcpy(&copy->root, value->val.binary.data, value->val.binary.len);
		return copy;
	}
	if (value->type != jbvArray && value->type != jbvObject)
	{
		scalar = *value;
		wrapped.type = jbvArray;
		wrapped.val.array.nElems = 1;
		wrapped.val.array.elems = &scalar;
		wrapped.val.array.rawScalar = true;
		value = &wrapped;
	}
	initStringInfo(&buffer);
	reserve(&buffer, VARHDRSZ);
	write_value(&buffer, &entry, value);
	SET_VARSIZE(buffer.data, buffer.len);
	return (Jsonb *) buffer.data;
}

Jsonb *
wf_json_finish(WfJsonWriter *w)
{
	Jsonb	   *result;
	MemoryContext old = MemoryContextSwitchTo(w->memory);

	if (w->depth != 0 || !w->has_root)
		elog(ERROR, "unfinished JSON writer");
	result = wf_json_copy(&w->root);
	MemoryContextSwitchTo(old);
	if (w->levels != w->within)
		pfree(w->levels);
	pfree(w);
	return result;
}

/* -- small values -- */

Jsonb *
wf_json_empty_object(void)
{
	JsonbValue	empty;

	empty.type = jbvObject;
	empty.val.object.nPairs = 0;
	empty.val.object.pairs = NULL;
	return wf_json_copy(&empty);
}

Jsonb *
wf_json_null(void)
{
	JsonbValue	null;

	wf_json_set_null(&null);
	return wf_json_copy(&null);
}

Jsonb *
wf_json_parse(const char *text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

void
wf_json_set_string(JsonbValue *out, const char *text, int len)
{
	out->type = jbvString;
	out->val.string.val = unconstify(char *, text);
	out->val.string.len = len;
}

void
wf_json_set_bool(JsonbValue *out, bool value)
{
	out->type = jbvBool;
	out->val.boolean = value;
}

void
wf_json_set_int64(JsonbValue *out, int64 value)
{
	out->type = jbvNumeric;
	out->val.numeric = int64_to_numeric(value);
}

void
wf_json_set_null(JsonbValue *out)
{
	out->type = jbvNull;
}
