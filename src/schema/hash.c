/*
 * hash.c: a hash of JSON values that agrees with JSON's equality.
 *
 * 1, 1.0 and 1e0 are equal and hash alike (jsonb's own scalar hash sees to that); the members of an
 * object are stored in one order whatever order they were written in. So `uniqueItems` and long
 * `enum`s take time in proportion to their length.
 */
#include "postgres.h"

#include "base/compat.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "schema/schema_internal.h"
#include "utils/jsonb.h"

/* What is deeper than this does not enter the hash: equal values still hash alike, and no stack is used up. */
#define MOST_DEPTH 50

static uint32
hash_value(const JsonbValue *value, int depth)
{
	uint32		hash = 0;
	WfJsonIter	it;
	JsonbValue	key,
				member;

	if (value->type != jbvBinary)
	{
		JsonbHashScalarValue(value, &hash);
		return murmurhash32(hash);
	}
	hash = wf_json_is_object(value) ? 0x6f626a : 0x617272;
	wf_json_iter_begin(&it, value);
	while (depth < MOST_DEPTH && wf_json_iter_next(&it, &key, &member))
	{
		CHECK_FOR_INTERRUPTS();
		if (it.is_object)
			hash = hash_combine(hash, hash_value(&key, depth));
		hash = hash_combine(hash, hash_value(&member, depth + 1));
	}
	return murmurhash32(hash);
}

uint32
wf_schema_hash(const JsonbValue *value)
{
	return hash_value(value, 0);
}
