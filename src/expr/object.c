/*
 * object.c: arrays, objects, sets and maps of an evaluation, and reading them and those of the
 * context alike.
 *
 * Containers of the context are never changed and never copied to be read. What would change one
 * works on a shallow copy (wf_expr_own_array). Members come in JavaScript's order: integer-like keys
 * first and ascending, then the others: in order of insertion for own objects, in jsonb's order for
 * those of the context (which has integer-like keys ascending among themselves already).
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "expr/internal.h"

#define SMALL_OBJECT 8			/* members up to which a search is linear */

/* -- arrays -- */

/* An empty array with room for `capacity`. */
WfArray *
wf_expr_new_array(WfEval *ev, uint32 capacity)
{
	WfArray    *array = wf_expr_alloc(ev, sizeof(WfArray));

	array->count = 0;
	array->capacity = capacity;
	array->iterator = false;
	array->extra = NULL;
	array->items = NULL;
	if (capacity > 0)
	{
		wf_expr_check_size(ev, (double) capacity * sizeof(WfValue));
		array->items = wf_expr_alloc(ev, capacity * sizeof(WfValue));
	}
	return array;
}

/* Makes room for one element more at the end; the caller fills it at once. */
WfValue *
wf_expr_array_add(WfEval *ev, WfArray *array)
{
	if (unlikely(array->count == array->capacity))
	{
		Size		capacity = array->capacity == 0 ? 4 : (Size) array->capacity * 2;

		array->items = wf_expr_regrow(ev, array->items, array->count * sizeof(WfValue), capacity * sizeof(WfValue));
		array->capacity = capacity;
	}
	return &array->items[array->count++];
}

/* Makes room for `more` elements more. */
void
wf_expr_array_reserve(WfEval *ev, WfArray *array, Size more)
{
	Size		capacity = array->count + more;

	if (capacity <= array->capacity)
		return;
	array->items = wf_expr_regrow(ev, array->items, array->count * sizeof(WfValue), capacity * sizeof(WfValue));
	array->capacity = capacity;
}

/* Sets the number of elements; new ones are holes. */
void
wf_expr_array_resize(WfEval *ev, WfArray *array, double count)
{
	wf_expr_check_size(ev, count * sizeof(WfValue));
	wf_expr_spend(ev, count / 16);
	if (count > array->capacity)
	{
		array->items = wf_expr_regrow(ev, array->items, array->count * sizeof(WfValue), (Size) count * sizeof(WfValue));
		array->capacity = count;
	}
	while (array->count < count)
		array->items[array->count++].tag = WF_V_HOLE;
	array->count = count;
}

uint32
wf_expr_array_count(const WfValue *array)
{
	JsonbValue	json;

	if (array->tag == WF_V_ARRAY)
		return array->u.array->count;
	json_of(array, &json);
	return wf_json_count(&json);
}

/* An element; HOLE for a hole, undefined out of range. */
void
wf_expr_array_at(const WfValue *array, uint32 index, WfValue *out)
{
	JsonbValue	json;
	JsonbValue	element;

	if (array->tag == WF_V_ARRAY)
	{
		if (index < array->u.array->count)
			*out = array->u.array->items[index];
		else
			set_undefined(out);
		return;
	}
	json_of(array, &json);
	if (wf_json_element(&json, index, &element))
		wf_expr_from_json(&element, out);
	else
		set_undefined(out);
}

/* A shallow copy, holes kept. */
WfArray *
wf_expr_copy_array(WfEval *ev, const WfValue *array)
{
	uint32		count = wf_expr_array_count(array);
	WfArray    *copy = wf_expr_new_array(ev, count);

	wf_expr_spend(ev, count / 8);
	if (array->tag == WF_V_ARRAY)
	{
		if (count > 0)
			memcpy(copy->items, array->u.array->items, count * sizeof(WfValue));
	}
	else
	{
		WfJsonIter	it;
		JsonbValue	json;
		JsonbValue	element;

		json_of(array, &json);
		wf_json_iter_begin(&it, &json);
		for (uint32 i = 0; wf_json_iter_next(&it, NULL, &element); i++)
			wf_expr_from_json(&element, &copy->items[i]);
	}
	copy->count = count;
	return copy;
}

/* The array itself when it is the evaluation's own, else a copy. */
WfArray *
wf_expr_own_array(WfEval *ev, const WfValue *array)
{
	return array->tag == WF_V_ARRAY ? array->u.array : wf_expr_copy_array(ev, array);
}

/* -- objects -- */

WfObject *
wf_expr_new_object(WfEval *ev, uint32 capacity)
{
	WfObject   *object = wf_expr_alloc(ev, sizeof(WfObject));

	object->count = 0;
	object->capacity = capacity;
	object->slots = NULL;
	object->n_slots = 0;
	object->has_index = false;
	object->entries = NULL;
	if (capacity > 0)
	{
		wf_expr_check_size(ev, (double) capacity * sizeof(WfEntry));
		object->entries = wf_expr_alloc(ev, capacity * sizeof(WfEntry));
	}
	return object;
}

static inline uint32
hash_key(const char *key, uint32 len)
{
	return hash_bytes((const unsigned char *) key, len);
}

static void
fill_slots(WfObject *object)
{
	memset(object->slots, 0, object->n_slots * sizeof(uint32));
	for (uint32 i = 0; i < object->count; i++)
	{
		uint32		at = object->entries[i].hash & (object->n_slots - 1);

		while (object->slots[at] != 0)
			at = (at + 1) & (object->n_slots - 1);
		object->slots[at] = i + 1;
	}
}

static WfEntry *
find_entry(const WfObject *object, const char *key, uint32 len, uint32 hash)
{
	uint32		at;

	if (object->slots == NULL)
	{
		for (uint32 i = 0; i < object->count; i++)
			if (object->entries[i].len == len && memcmp(object->entries[i].key, key, len) == 0)
				return &object->entries[i];
		return NULL;
	}
	for (at = hash & (object->n_slots - 1); object->slots[at] != 0; at = (at + 1) & (object->n_slots - 1))
	{
		WfEntry    *entry = &object->entries[object->slots[at] - 1];

		if (entry->hash == hash && entry->len == len && memcmp(entry->key, key, len) == 0)
			return entry;
	}
	return NULL;
}

/* Makes the table that finds members by their hash, for `n` of them. */
static void
make_slots(WfEval *ev, WfObject *object, Size n)
{
	object->n_slots = SMALL_OBJECT * 4;
	while (object->n_slots < n * 2)
		object->n_slots *= 2;
	wf_expr_check_size(ev, (double) object->n_slots * sizeof(uint32));
	object->slots = wf_expr_alloc(ev, object->n_slots * sizeof(uint32));
	fill_slots(object);
}

/* Makes room for `more` members more. */
void
wf_expr_object_reserve(WfEval *ev, WfObject *object, Size more)
{
	Size		capacity = object->count + more;

	if (capacity <= object->capacity)
		return;
	object->entries = wf_expr_regrow(ev, object->entries, object->count * sizeof(WfEntry), capacity * sizeof(WfEntry));
	object->capacity = capacity;
	if (capacity > SMALL_OBJECT && object->n_slots < capacity * 2)
		make_slots(ev, object, capacity);
}

/* The member's value, in place; NULL when there is none. */
WfValue *
wf_expr_object_find(const WfObject *object, const char *key, uint32 len)
{
	WfEntry    *entry = find_entry(object, key, len, object->slots ? hash_key(key, len) : 0);

	return entry ? &entry->value : NULL;
}

/* Sets a member; the key is borrowed and must live as long as the object. */
void
wf_expr_object_put(WfEval *ev, WfObject *object, const char *key, uint32 len, const WfValue *value)
{
	uint32		hash = hash_key(key, len);
	WfEntry    *entry = find_entry(object, key, len, hash);
	uint32		index;

	if (entry != NULL)
	{
		entry->value = *value;
		return;
	}
	if (object->count == object->capacity)
	{
		Size		capacity = object->capacity == 0 ? 4 : (Size) object->capacity * 2;

		object->entries = wf_expr_regrow(ev, object->entries, object->count * sizeof(WfEntry),
										 capacity * sizeof(WfEntry));
		object->capacity = capacity;
	}
	entry = &object->entries[object->count++];
	entry->key = key;
	entry->len = len;
	entry->hash = hash;
	entry->value = *value;
	if (wf_expr_is_index_key(key, len, &index))
		object->has_index = true;
	if (object->slots == NULL && object->count <= SMALL_OBJECT)
		return;
	if (object->slots == NULL || object->n_slots < object->count * 2)
		make_slots(ev, object, object->count * 2);
	else
	{
		uint32		at = hash & (object->n_slots - 1);

		while (object->slots[at] != 0)
			at = (at + 1) & (object->n_slots - 1);
		object->slots[at] = object->count;
	}
}

/* With a C string that outlives the object (a literal). */
void
wf_expr_put_field(WfEval *ev, WfObject *object, const char *key, const WfValue *value)
{
	wf_expr_object_put(ev, object, key, strlen(key), value);
}

static int
by_index(const void *a, const void *b)
{
	uint32		x = 0;
	uint32		y = 0;

	wf_expr_is_index_key(((const WfEntry *) a)->key, ((const WfEntry *) a)->len, &x);
	wf_expr_is_index_key(((const WfEntry *) b)->key, ((const WfEntry *) b)->len, &y);
	return x < y ? -1 : x > y;
}

/* Brings integer-like keys to the front, ascending; the others keep their order. */
static void
order_entries(WfEval *ev, WfObject *object)
{
	WfEntry    *entries = wf_expr_alloc(ev, object->count * sizeof(WfEntry));
	uint32		n = 0;
	uint32		index;

	for (uint32 i = 0; i < object->count; i++)
		if (wf_expr_is_index_key(object->entries[i].key, object->entries[i].len, &index))
			entries[n++] = object->entries[i];
	qsort(entries, n, sizeof(WfEntry), by_index);
	for (uint32 i = 0; i < object->count; i++)
		if (!wf_expr_is_index_key(object->entries[i].key, object->entries[i].len, &index))
			entries[n++] = object->entries[i];
	memcpy(object->entries, entries, object->count * sizeof(WfEntry));
	object->has_index = false;
	if (object->slots != NULL)
		fill_slots(object);
}

/* -- sets and maps -- */

WfMap *
wf_expr_new_map(WfEval *ev)
{
	WfMap	   *map = wf_expr_alloc(ev, sizeof(WfMap));

	memset(map, 0, sizeof(WfMap));
	return map;
}

/* The same for values that are SameValueZero. */
static uint32
hash_value(WfEval *ev, const WfValue *value)
{
	double		number;

	switch (value->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
		case WF_V_NULL:
			return value->tag == WF_V_NULL ? 2 : 1;
		case WF_V_BOOL:
			return value->u.boolean ? 4 : 3;
		case WF_V_NUMBER:
		case WF_V_NUMERIC:
			number = wf_expr_to_number(ev, value);
			if (isnan(number))
				return 5;
			number += 0.0;		/* -0 is 0 */
			if (number == 0)
				number = 0;
			return hash_bytes((unsigned char *) &number, sizeof(number));
		case WF_V_STRING:
			return hash_key(value->u.str, value->len);
		default:
			return hash_bytes((const unsigned char *) &value->u.json, sizeof(void *));
	}
}

static WfMapEntry *
find_in_map(WfEval *ev, WfMap *map, const WfValue *key, uint32 hash)
{
	if (map->slots == NULL)
		return NULL;
	for (uint32 at = hash & (map->n_slots - 1); map->slots[at] != 0; at = (at + 1) & (map->n_slots - 1))
	{
		WfMapEntry *entry = &map->entries[map->slots[at] - 1];

		if (entry->hash == hash && entry->key.tag != WF_V_HOLE && wf_expr_same_zero(ev, &entry->key, key))
			return entry;
	}
	return NULL;
}

WfMapEntry *
wf_expr_map_find(WfEval *ev, WfMap *map, const WfValue *key)
{
	return find_in_map(ev, map, key, hash_value(ev, key));
}

void
wf_expr_map_put(WfEval *ev, WfMap *map, const WfValue *key, const WfValue *value)
{
	uint32		hash = hash_value(ev, key);
	WfMapEntry *entry = find_in_map(ev, map, key, hash);

	if (entry != NULL)
	{
		entry->value = *value;
		return;
	}
	if (map->used == map->capacity)
	{
		Size		capacity = map->capacity == 0 ? 8 : (Size) map->capacity * 2;
		WfMapEntry *entries;

		wf_expr_check_size(ev, (double) capacity * (sizeof(WfMapEntry) + 2 * sizeof(uint32)));
		entries = wf_expr_alloc(ev, capacity * sizeof(WfMapEntry));
		if (map->used > 0)
			memcpy(entries, map->entries, map->used * sizeof(WfMapEntry));
		map->entries = entries;
		map->capacity = capacity;
		map->n_slots = capacity * 2;
		map->slots = wf_expr_alloc(ev, map->n_slots * sizeof(uint32));
		memset(map->slots, 0, map->n_slots * sizeof(uint32));
		for (uint32 i = 0; i < map->used; i++)
		{
			uint32		at = entries[i].hash & (map->n_slots - 1);

			while (map->slots[at] != 0)
				at = (at + 1) & (map->n_slots - 1);
			map->slots[at] = i + 1;
		}
	}
	entry = &map->entries[map->used++];
	entry->key = *key;
	if (key->tag == WF_V_NUMBER && key->u.number == 0)
		set_number(&entry->key, 0);
	if (key->tag == WF_V_HOLE)
		set_undefined(&entry->key);
	entry->value = *value;
	entry->hash = hash;
	map->count++;
	for (uint32 at = hash & (map->n_slots - 1);; at = (at + 1) & (map->n_slots - 1))
		if (map->slots[at] == 0)
		{
			map->slots[at] = map->used;
			break;
		}
}

bool
wf_expr_map_delete(WfEval *ev, WfMap *map, const WfValue *key)
{
	WfMapEntry *entry = wf_expr_map_find(ev, map, key);

	if (entry == NULL)
		return false;
	entry->key.tag = WF_V_HOLE;
	map->count--;
	return true;
}

/* -- reading members -- */

/* A canonical array index ("0", "17", not "01"); up to 2^32 - 2. */
bool
wf_expr_is_index_key(const char *key, uint32 len, uint32 *index)
{
	uint64		n = 0;

	if (len == 0 || len > 10 || key[0] < '0' || key[0] > '9' || (key[0] == '0' && len > 1))
		return false;
	for (uint32 i = 0; i < len; i++)
	{
		if (key[i] < '0' || key[i] > '9')
			return false;
		n = n * 10 + (key[i] - '0');
	}
	if (n >= PG_UINT32_MAX)
		return false;
	*index = (uint32) n;
	return true;
}

static bool
string_element(WfEval *ev, const WfValue *string, uint32 index, WfValue *out)
{
	if (index >= wf_expr_units(ev, string))
		return false;
	wf_expr_substring(ev, string, index, index + 1, out);
	return true;
}

static bool
array_member(const WfValue *array, const char *key, uint32 len, WfValue *out)
{
	uint32		index;

	if (len == 6 && memcmp(key, "length", 6) == 0)
	{
		set_number(out, wf_expr_array_count(array));
		return true;
	}
	if (wf_expr_is_index_key(key, len, &index))
	{
		wf_expr_array_at(array, index, out);
		return out->tag > WF_V_HOLE || (out->tag == WF_V_UNDEFINED && index < wf_expr_array_count(array));
	}
	if (array->tag == WF_V_ARRAY && array->u.array->extra)
	{
		WfValue    *value = wf_expr_object_find(array->u.array->extra, key, len);

		if (value)
		{
			*out = *value;
			return true;
		}
	}
	return false;
}

static bool
regexp_member(const WfRegExp *regexp, const WfValue *name, WfValue *out)
{
	static const struct
	{
		const char *name;
		char		flag;
	}			flags[] = {{"global", 'g'}, {"ignoreCase", 'i'}, {"multiline", 'm'}, {"dotAll", 's'},
	{"unicode", 'u'}, {"sticky", 'y'}, {"hasIndices", 'd'}, {"unicodeSets", 'v'}};

	if (wf_expr_string_is(name, "source"))
		set_string(out, regexp->source, regexp->source_len, 0);
	else if (wf_expr_string_is(name, "flags"))
		set_string(out, regexp->flags, strlen(regexp->flags), 0);
	else if (wf_expr_string_is(name, "lastIndex"))
		set_number(out, regexp->last_index);
	else
	{
		for (int i = 0; i < lengthof(flags); i++)
			if (wf_expr_string_is(name, flags[i].name))
			{
				set_bool(out, strchr(regexp->flags, flags[i].flag) != NULL);
				return true;
			}
		return false;
	}
	return true;
}

/* An own member, or one computed from the value (length, size, year); methods left out. */
bool
wf_expr_own_member(WfEval *ev, const WfValue *object, const char *key, uint32 len, WfValue *out)
{
	JsonbValue	json;
	JsonbValue	member;
	WfValue    *value;
	WfValue		name;
	uint32		index;

	switch (object->tag)
	{
		case WF_V_JSON_OBJECT:
			json_of(object, &json);
			if (!wf_json_get(&json, key, len, &member))
				return false;
			wf_expr_from_json(&member, out);
			return true;
		case WF_V_OBJECT:
			value = wf_expr_object_find(object->u.object, key, len);
			if (value == NULL)
				return false;
			*out = *value;
			return true;
		case WF_V_STRING:
			if (len == 6 && memcmp(key, "length", 6) == 0)
			{
				set_number(out, wf_expr_units(ev, object));
				return true;
			}
			return wf_expr_is_index_key(key, len, &index) && string_element(ev, object, index, out);
		case WF_V_JSON_ARRAY:
		case WF_V_ARRAY:
			if (object->tag == WF_V_ARRAY && object->u.array->iterator)
				return false;
			return array_member(object, key, len, out);
		case WF_V_SET:
		case WF_V_MAP:
			if (len != 4 || memcmp(key, "size", 4) != 0)
				return false;
			set_number(out, object->u.map->count);
			return true;
		case WF_V_DATETIME:
			return wf_expr_moment_member(ev, object->u.moment, key, len, out);
		case WF_V_DURATION:
			return wf_expr_duration_member(ev, object->u.duration, key, len, out);
		case WF_V_REGEXP:
			set_string(&name, key, len, 0);
			return regexp_member(object->u.regexp, &name, out);
		case WF_V_CLOSURE:
		case WF_V_BUILTIN:
			set_string(&name, key, len, 0);
			if (wf_expr_string_is(&name, "length"))
				set_number(out, object->tag == WF_V_CLOSURE ? object->u.closure->arrow->length :
						   object->u.builtin->length);
			else if (wf_expr_string_is(&name, "name"))
			{
				if (object->tag == WF_V_CLOSURE)
					set_literal(out, "");
				else
					set_string(out, object->u.builtin->name, strlen(object->u.builtin->name), WF_S_ASCII);
			}
			else
				return false;
			return true;
		case WF_V_NAMESPACE:
			return wf_expr_namespace_member(object->u.space, key, len, out);
		default:
			return false;
	}
}

/* object.key. Throws WF008 for null and undefined. */
void
wf_expr_get(WfEval *ev, const WfValue *object, const char *key, uint32 len, WfValue *out)
{
	const WfBuiltin *method;

	if (unlikely(WF_IS_NULLISH(object)))
		wf_expr_throw(ev, "cannot read property \"%.*s\" of %s", (int) Min(len, 64), key,
					  object->tag == WF_V_NULL ? "null" : "undefined");
	if (wf_expr_own_member(ev, object, key, len, out))
		return;
	method = wf_expr_method(wf_expr_class(object), key, len);
	if (method != NULL && !method->helper)
	{
		out->tag = WF_V_BUILTIN;
		out->flags = WF_F_METHOD;
		out->u.builtin = method;
	}
	else
		set_undefined(out);
}

/* object[key]. */
void
wf_expr_get_value(WfEval *ev, const WfValue *object, const WfValue *key, WfValue *out)
{
	WfValue		name;

	if (WF_IS_NUMBER(key))
	{
		double		number = wf_expr_to_number(ev, key);

		if (number >= 0 && number < PG_UINT32_MAX && number == (uint32) number)
		{
			if (object->tag == WF_V_JSON_ARRAY || (object->tag == WF_V_ARRAY && !object->u.array->iterator))
			{
				wf_expr_array_at(object, (uint32) number, out);
				if (out->tag == WF_V_HOLE)
					set_undefined(out);
				return;
			}
			if (WF_IS_STRING(object))
			{
				if (!string_element(ev, object, (uint32) number, out))
					set_undefined(out);
				return;
			}
		}
	}
	wf_expr_to_key(ev, key, &name);
	wf_expr_get(ev, object, name.u.str, name.len, out);
}

/* -- walking members -- */

/* Own enumerable members in JavaScript's order. The object must not change meanwhile. */
void
wf_expr_entries_begin(WfEval *ev, WfEntryIter *it, const WfValue *object)
{
	JsonbValue	json;

	it->object = object;
	it->i = 0;
	it->pass = 0;
	if (object->tag == WF_V_OBJECT && object->u.object->has_index)
		order_entries(ev, object->u.object);
	else if (object->tag == WF_V_JSON_OBJECT || object->tag == WF_V_JSON_ARRAY)
	{
		json_of(object, &json);
		wf_json_iter_begin(&it->json, &json);
		if (object->tag == WF_V_JSON_OBJECT)
		{
			/* two passes only when a key looks like an integer */
			JsonbValue	key;
			JsonbValue	member;
			uint32		index;

			it->pass = 1;
			while (wf_json_iter_next(&it->json, &key, &member))
				if (wf_expr_is_index_key(key.val.string.val, key.val.string.len, &index))
				{
					it->pass = 0;
					break;
				}
			wf_json_iter_begin(&it->json, &json);
			it->i = it->pass;	/* 1: nothing looks like an integer */
		}
	}
}

static bool
next_json_member(WfEntryIter *it, WfValue *key, WfValue *value)
{
	JsonbValue	name;
	JsonbValue	member;
	uint32		index;

	for (;;)
	{
		if (!wf_json_iter_next(&it->json, &name, &member))
		{
			JsonbValue	json;

			if (it->pass == 1)
				return false;
			it->pass = 1;
			json_of(it->object, &json);
			wf_json_iter_begin(&it->json, &json);
			continue;
		}
		if (it->i == 1 ||
			wf_expr_is_index_key(name.val.string.val, name.val.string.len, &index) == (it->pass == 0))
			break;
	}
	set_string(key, name.val.string.val, name.val.string.len, WF_S_BORROWED);
	wf_expr_from_json(&member, value);
	return true;
}

static void
index_key(WfEval *ev, uint32 index, WfValue *key)
{
	char		buf[32];

	wf_expr_new_string(ev, buf, wf_expr_format_number(index, buf), WF_S_ASCII, key);
}

/* Named members of an array, after its elements. */
static bool
next_extra(const WfArray *array, uint32 i, WfValue *key, WfValue *value)
{
	if (array->extra == NULL || i >= array->extra->count)
		return false;
	set_string(key, array->extra->entries[i].key, array->extra->entries[i].len, 0);
	*value = array->extra->entries[i].value;
	return true;
}

bool
wf_expr_entries_next(WfEval *ev, WfEntryIter *it, WfValue *key, WfValue *value)
{
	const WfValue *object = it->object;

	wf_expr_spend(ev, 1);
	switch (object->tag)
	{
		case WF_V_OBJECT:
			if (it->i >= object->u.object->count)
				return false;
			set_string(key, object->u.object->entries[it->i].key, object->u.object->entries[it->i].len, 0);
			*value = object->u.object->entries[it->i].value;
			it->i++;
			return true;
		case WF_V_JSON_OBJECT:
			return next_json_member(it, key, value);
		case WF_V_ARRAY:
			while (it->i < object->u.array->count && object->u.array->items[it->i].tag == WF_V_HOLE)
				it->i++;
			if (object->u.array->iterator)
				return false;
			if (it->i >= object->u.array->count)
				return next_extra(object->u.array, it->i++ - object->u.array->count, key, value);
			*value = object->u.array->items[it->i];
			break;
		case WF_V_JSON_ARRAY:
			if (it->i >= it->json.count)
				return false;
			wf_expr_array_at(object, it->i, value);
			break;
		case WF_V_STRING:
			if (!string_element(ev, object, it->i, value))
				return false;
			break;
		default:
			return false;
	}
	index_key(ev, it->i++, key);
	return true;
}

/* -- walking what can be iterated -- */

/* Throws WF008 when it cannot be iterated. */
void
wf_expr_items_begin(WfEval *ev, WfItemIter *it, const WfValue *value)
{
	JsonbValue	json;

	it->from = *value;
	it->i = 0;
	switch (value->tag)
	{
		case WF_V_JSON_ARRAY:
			json_of(value, &json);
			wf_json_iter_begin(&it->json, &json);
			break;
		case WF_V_ARRAY:
		case WF_V_STRING:
		case WF_V_SET:
		case WF_V_MAP:
			break;
		default:
			wf_expr_throw(ev, "%s is not iterable", wf_expr_kind_name(value));
	}
}

/* The next item; holes are given as such. */
bool
wf_expr_items_next(WfEval *ev, WfItemIter *it, WfValue *item)
{
	const WfValue *from = &it->from;
	JsonbValue	element;
	WfArray    *pair;
	WfMap	   *map;
	int			size;

	wf_expr_spend(ev, 1);
	switch (from->tag)
	{
		case WF_V_JSON_ARRAY:
			if (!wf_json_iter_next(&it->json, NULL, &element))
				return false;
			wf_expr_from_json(&element, item);
			return true;
		case WF_V_ARRAY:
			if (it->i >= from->u.array->count)
				return false;
			*item = from->u.array->items[it->i++];
			return true;
		case WF_V_STRING:
			if (it->i >= from->len)
				return false;
			wf_expr_decode(from->u.str + it->i, from->u.str + from->len, &size);
			wf_expr_slice_bytes(from, it->i, it->i + size, item);
			it->i += size;
			return true;
		default:
			map = from->u.map;
			while (it->i < map->used && map->entries[it->i].key.tag == WF_V_HOLE)
				it->i++;
			if (it->i >= map->used)
				return false;
			if (from->tag == WF_V_SET)
				*item = map->entries[it->i].key;
			else
			{
				pair = wf_expr_new_array(ev, 2);
				pair->items[0] = map->entries[it->i].key;
				pair->items[1] = map->entries[it->i].value;
				pair->count = 2;
				set_array(item, pair);
			}
			it->i++;
			return true;
	}
}
