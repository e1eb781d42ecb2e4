/*
 * keys.c: finding, comparing and hashing values within lists.
 *
 * Equality is jsonb's: numbers by value (1 and 1.0 are one), strings by bytes, objects and arrays by
 * what they hold. The table is open addressing with linear probing, sized once for the number of
 * keys that its user can add, so that it never moves; it borrows its keys.
 */
#include "postgres.h"

#include "block/keys.h"
#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* -- places -- */

bool
wf_block_member(const JsonbValue *item, const char *path, JsonbValue *out)
{
	JsonbValue	at;

	if (wf_json_field(item, path, out))
		return true;
	if (strchr(path, '.') == NULL)
		return false;
	at = *item;
	for (;;)
	{
		size_t		len = strcspn(path, ".");

		if (!wf_json_get(&at, path, len, out))
			return false;
		if (path[len] == '\0')
			return true;
		path += len + 1;
		at = *out;
	}
}

void
wf_block_put_members(WfJsonWriter *w, const JsonbValue *object)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	if (!wf_json_is_object(object))
		return;
	wf_json_iter_begin(&it, object);
	while (wf_json_iter_next(&it, &key, &value))
	{
		wf_json_key(w, key.val.string.val, key.val.string.len);
		wf_json_put(w, &value);
	}
}

/* -- order -- */

static int
rank_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvBool:
			return 0;
		case jbvNumeric:
			return 1;
		case jbvString:
			return 2;
		case jbvBinary:
			return 3;
		default:
			return 4;
	}
}

int
wf_block_compare(const JsonbValue *a, const JsonbValue *b)
{
	int			rank = rank_of(a);
	int			result;

	if (rank != rank_of(b))
		return rank > rank_of(b) ? 1 : -1;
	switch (a->type)
	{
		case jbvBool:
			return (int) a->val.boolean - (int) b->val.boolean;
		case jbvNumeric:
			return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a->val.numeric),
													 NumericGetDatum(b->val.numeric)));
		case jbvString:
			result = memcmp(a->val.string.val, b->val.string.val, Min(a->val.string.len, b->val.string.len));
			if (result == 0)
				result = a->val.string.len - b->val.string.len;
			return result > 0 ? 1 : (result < 0 ? -1 : 0);
		case jbvBinary:
			return compareJsonbContainers(a->val.binary.data, b->val.binary.data);
		default:
			return 0;
	}
}

/* -- the table -- */

typedef struct KeySlot
{
	uint32		hash;
	int			number;			/* -1: free */
	JsonbValue	key;
} KeySlot;

struct WfKeyTable
{
	uint32		mask;
	uint32		n;
	KeySlot    *slots;
};

static uint32
hash_of(const JsonbValue *key)
{
	switch (key->type)
	{
		case jbvString:
			return hash_bytes((const unsigned char *) key->val.string.val, key->val.string.len);
		case jbvNumeric:
			return DatumGetUInt32(DirectFunctionCall1(hash_numeric, NumericGetDatum(key->val.numeric)));
		case jbvBool:
			return key->val.boolean ? 0x5bd1e995 : 0x1b873593;
		case jbvNull:
			return 0x2545f491;
		default:
			{
				Jsonb	   *copy = wf_json_copy(key);
				uint32		hash = DatumGetUInt32(DirectFunctionCall1(jsonb_hash, JsonbPGetDatum(copy)));

				pfree(copy);
				return hash;
			}
	}
}

WfKeyTable *
wf_block_keys_begin(int expected)
{
	WfKeyTable *table = palloc(sizeof(WfKeyTable));
	uint32		size = pg_nextpower2_32((uint32) Max(expected, 4) * 2);

	table->mask = size - 1;
	table->n = 0;
	table->slots = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(KeySlot) * (Size) size);
	for (uint32 i = 0; i < size; i++)
		table->slots[i].number = -1;
	return table;
}

/* The slot of this key, or the free one where it belongs. */
static KeySlot *
find_slot(const WfKeyTable *table, const JsonbValue *key, uint32 hash)
{
	for (uint32 at = hash & table->mask;; at = (at + 1) & table->mask)
	{
		KeySlot    *slot = &table->slots[at];

		if (slot->number < 0 || (slot->hash == hash && wf_json_equal(&slot->key, key)))
			return slot;
	}
}

int
wf_block_keys_add(WfKeyTable *table, const JsonbValue *key, int number, bool *is_new)
{
	uint32		hash = hash_of(key);
	KeySlot    *slot = find_slot(table, key, hash);

	*is_new = slot->number < 0;
	if (*is_new)
	{
		if (++table->n > table->mask)
			elog(ERROR, "table of keys is full");
		slot->hash = hash;
		slot->number = number;
		slot->key = *key;
	}
	return slot->number;
}

int
wf_block_keys_find(const WfKeyTable *table, const JsonbValue *key)
{
	return find_slot(table, key, hash_of(key))->number;
}
