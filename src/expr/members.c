/*
 * members.c: objects of an evaluation: their members, found by a table of hashes when there are many.
 *
 * `{...a, [k]: v}`, done again and again with its own result (the accumulator of a reduce), must not copy
 * all members each time. So an object that is spread first into a new one hands its members on:
 *
 *	1. The new object has the members; the old one is only their number, and points to it as `newer`.
 *	2. What is added to the new one is behind that number; what is replaced in it is kept for the old
 *	   one as an undo. Members are never removed.
 *	3. Nearly always the old one is never asked again. When it is, a single member is looked up through
 *	   its undos; anything else gives it members of its own (wf_expr_object_own), which ends the tie, and
 *	   from then on it keeps them: spreading it copies.
 *	4. Members that an older object depends on are not reordered.
 *
 * A chain is one: each object has at most one older, each older one newer. Whoever looks at `entries`
 * calls wf_expr_object_settle before, and again after anything of the user ran.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "expr/internal.h"

#define SMALL_OBJECT	8		/* members up to which a search is linear, and a spread copies */
#define FEW_UNDOS		8		/* looked through for a single member */

typedef struct WfUndo
{
	struct WfUndo *next;
	uint32		index;			/* of the entry */
	WfValue		value;			/* before the change */
} WfUndo;

WfObject *
wf_expr_new_object(WfEval *ev, uint32 capacity)
{
	WfObject   *object = wf_expr_alloc(ev, sizeof(WfObject));

	object->count = 0;
	object->capacity = capacity;
	object->slots = NULL;
	object->n_slots = 0;
	object->has_index = false;
	object->keeps = false;
	object->n_undo = 0;
	object->newer = NULL;
	object->older = NULL;
	object->undo = NULL;
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
static void
reserve(WfEval *ev, WfObject *object, Size more)
{
	Size		capacity = object->count + more;

	if (capacity <= object->capacity)
		return;
	object->entries = wf_expr_regrow(ev, object->entries, object->count * sizeof(WfEntry), capacity * sizeof(WfEntry));
	object->capacity = capacity;
	if (capacity > SMALL_OBJECT && object->n_slots < capacity * 2)
		make_slots(ev, object, capacity);
}

/*
 * Gives members of its own to an object that handed them on: those of who has them now, without what was
 * added, and with what was changed undone, the last change first.
 */
void
wf_expr_object_own(WfEval *ev, WfObject *object)
{
	WfObject   *holder = object->newer;
	WfObject   *older;

	while (holder->newer != NULL)
	{
		wf_expr_spend(ev, 1);
		holder = holder->newer;
	}
	Assert(holder->count >= object->count);
	wf_expr_spend(ev, object->count / 8);
	object->entries = wf_expr_alloc(ev, object->count * sizeof(WfEntry));
	object->capacity = object->count;
	memcpy(object->entries, holder->entries, object->count * sizeof(WfEntry));
	for (older = holder->older;; older = older->older)
	{
		wf_expr_spend(ev, older->n_undo);
		for (WfUndo *undo = older->undo; undo != NULL; undo = undo->next)
			if (undo->index < object->count)
				object->entries[undo->index].value = undo->value;
		if (older == object)
			break;
	}
	object->newer->older = NULL;
	object->newer = NULL;
	object->undo = NULL;
	object->n_undo = 0;
	object->keeps = true;
	if (object->count > SMALL_OBJECT)
		make_slots(ev, object, object->count);
}

/* Keeps for the older object what a member was before it is replaced. */
static void
remember(WfEval *ev, WfObject *object, const WfEntry *entry)
{
	WfObject   *older = object->older;
	uint32		index = entry - object->entries;
	WfUndo	   *undo;

	if (index >= older->count)
		return;
	if (older->n_undo > older->count)
	{
		wf_expr_object_own(ev, older);
		return;
	}
	undo = wf_expr_alloc(ev, sizeof(WfUndo));
	undo->index = index;
	undo->value = entry->value;
	undo->next = older->undo;
	older->undo = undo;
	older->n_undo++;
}

/* The member's value, in place; NULL when there is none. */
WfValue *
wf_expr_object_find(WfEval *ev, WfObject *object, const char *key, uint32 len)
{
	WfEntry    *entry;

	wf_expr_object_settle(ev, object);
	entry = find_entry(object, key, len, object->slots ? hash_key(key, len) : 0);
	return entry ? &entry->value : NULL;
}

/* The member's value; false when there is none. */
bool
wf_expr_object_get(WfEval *ev, WfObject *object, const char *key, uint32 len, WfValue *out)
{
	WfObject   *holder = object;
	WfEntry    *entry;
	uint32		index;

	if (unlikely(object->newer != NULL))
	{
		holder = object->newer;
		if (holder->newer != NULL || object->n_undo > FEW_UNDOS)
		{
			wf_expr_object_own(ev, object);
			holder = object;
		}
	}
	entry = find_entry(holder, key, len, holder->slots ? hash_key(key, len) : 0);
	if (entry == NULL)
		return false;
	index = entry - holder->entries;
	if (index >= object->count)
		return false;
	*out = entry->value;
	for (WfUndo *undo = object->undo; undo != NULL; undo = undo->next)
		if (undo->index == index)
			*out = undo->value;
	return true;
}

/* Sets a member; the key is borrowed and must live as long as the object. */
void
wf_expr_object_put(WfEval *ev, WfObject *object, const char *key, uint32 len, const WfValue *value)
{
	uint32		hash = hash_key(key, len);
	WfEntry    *entry;
	uint32		index;

	wf_expr_object_settle(ev, object);
	entry = find_entry(object, key, len, hash);
	if (entry != NULL)
	{
		if (unlikely(object->older != NULL))
			remember(ev, object, entry);
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

/* Puts integer-like keys first, ascending, before members are walked; the others keep their order. */
void
wf_expr_object_order(WfEval *ev, WfObject *object)
{
	WfEntry    *entries;
	uint32		n = 0;
	uint32		index;

	wf_expr_object_settle(ev, object);
	if (!object->has_index)
		return;
	if (object->older != NULL)
		wf_expr_object_own(ev, object->older);
	entries = wf_expr_alloc(ev, object->count * sizeof(WfEntry));
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

/* `{...from}` into an object that is being made and expects `more` members besides. */
void
wf_expr_object_spread(WfEval *ev, WfObject *object, WfObject *from, Size more)
{
	wf_expr_object_settle(ev, from);
	if (object->count > 0)
	{
		wf_expr_spend(ev, from->count);
		for (uint32 i = 0; i < from->count; i++)
			wf_expr_object_put(ev, object, from->entries[i].key, from->entries[i].len, &from->entries[i].value);
		return;
	}
	object->has_index = from->has_index;
	if (from->count > SMALL_OBJECT && !from->keeps)
	{
		object->entries = from->entries;
		object->count = from->count;
		object->capacity = from->capacity;
		object->slots = from->slots;
		object->n_slots = from->n_slots;
		object->older = from;
		from->newer = object;
		from->entries = NULL;
		from->slots = NULL;
		from->n_slots = 0;
		return;
	}
	reserve(ev, object, from->count + more);
	if (from->count == 0)
		return;
	wf_expr_spend(ev, from->count / 8);
	memcpy(object->entries, from->entries, from->count * sizeof(WfEntry));
	object->count = from->count;
	if (object->slots != NULL)
		fill_slots(object);
}
