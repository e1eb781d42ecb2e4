/*
 * custom.h: blocks that a tenant registered (wf_register_block).
 */
#ifndef WF_BLOCK_CUSTOM_H
#define WF_BLOCK_CUSTOM_H

#include "block/block.h"

/*
 * A block that calls `function` (config jsonb, input jsonb) RETURNS jsonb. Everything is copied into
 * CurrentMemoryContext, which must outlive its use. `ports` is NULL-ended; NULL or none: `out` alone.
 * Does not touch the catalog: a function that is gone is an error of the node that calls it (42883).
 */
extern const WfBlock *wf_block_custom_make(const char *type, Oid function, const Jsonb *config_schema,
										   const char *const *ports);

#endif
