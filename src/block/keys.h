/*
 * keys.h: places within items, and a hash table of JSON values; private to this room.
 */
#ifndef WF_BLOCK_KEYS_H
#define WF_BLOCK_KEYS_H

#include "base/json.h"

/* -- places within an item -- */

/* A member by name, or below it by a dotted path; a member whose name is the whole text goes first.
 * False: not there. */
extern bool wf_block_member(const JsonbValue *item, const char *path, JsonbValue *out);

/* Writes all members of an object into the object that is open; nothing for what is no object. */
extern void wf_block_put_members(WfJsonWriter *w, const JsonbValue *object);

/* -- order -- */

/*
 * Total order of JSON values for sorting: booleans, numbers, strings (by code point), arrays and
 * objects; null and what is missing come last.
 */
extern int	wf_block_compare(const JsonbValue *a, const JsonbValue *b);

/* -- a hash table from JSON values to numbers -- */

typedef struct WfKeyTable WfKeyTable;

/* In CurrentMemoryContext, as are its keys; `expected` is how many there may be at the most. */
extern WfKeyTable *wf_block_keys_begin(int expected);
/* The number kept for this key; when it is new, `number` is kept for it (and the key itself, borrowed). */
extern int	wf_block_keys_add(WfKeyTable *table, const JsonbValue *key, int number, bool *is_new);
/* The number kept, or -1. */
extern int	wf_block_keys_find(const WfKeyTable *table, const JsonbValue *key);

#endif
