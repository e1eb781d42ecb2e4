/*
 * saved.h: the state of an open step as JSON, for blocks with save and load; private to this room.
 *
 * What load reads may have been saved by another version of the definition (wf_migrate), or by an older version of the
 * block. So a block takes what it needs by name, ignores what it does not know, and refuses with WF014 what it cannot
 * go on with.
 */
#ifndef WF_BLOCK_SAVED_H
#define WF_BLOCK_SAVED_H

#include "block/block.h"

/* Throws WF014: the step cannot go on with its state, and why. */
pg_noreturn extern void wf_block_saved_refuse(const WfNode *node, const char *fmt, ...) pg_attribute_printf(2, 3);

/* An integer of the state; `otherwise` when it is missing. */
extern int64 wf_block_saved_int(const JsonbValue *saved, const char *key, int64 otherwise);
/* The same, for what is always there; throws WF014 when it is not. */
extern int64 wf_block_saved_need_int(const WfNode *node, const JsonbValue *saved, const char *key);
extern bool wf_block_saved_bool(const JsonbValue *saved, const char *key);
/* Is the string `key` of the state this one? */
extern bool wf_block_saved_is(const JsonbValue *saved, const char *key, const char *value);

/* An error with all that is needed to raise it again; and back, in CurrentMemoryContext. */
extern void wf_block_save_error(WfJsonWriter *w, const WfError *error);
extern WfError *wf_block_load_error(const JsonbValue *saved);

#endif
